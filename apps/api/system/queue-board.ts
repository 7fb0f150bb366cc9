import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createBullBoard } from '@bull-board/api';
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import { FastifyAdapter } from '@bull-board/fastify';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { allows } from '#core/scopes';
import { hostOfQueue } from '#contracts/worker/download-job';
import { SECOND_MS } from '#core/units';
import { QUEUE_BOARD_PATH } from './queue-board-type.ts';
import type { BoardQueues, QueueBoard } from './queue-board-type.ts';
import { RequestError } from '../server/errors/request-error.ts';
import { checkRequests } from '../server/errors/error-handler.ts';
import { usePagePolicy } from '../server/security-headers.ts';
import { refuseOtherSites } from '../access/users/origin.ts';

/** Each look asks Redis for the counts of every queue that is shown, so their number and the pace are bounded. */
const POLL_SECONDS = 10;
const LOOK_FOR_HOSTS_EVERY_MS = 10 * SECOND_MS;

export interface QueueBoardOptions {
  /** False refuses every change also to admins: retry, remove, pause, empty. */
  readonly writable: boolean;
  readonly queues: BoardQueues;
  /** Milliseconds. */
  readonly now: () => number;
}

export function createQueueBoard(options: QueueBoardOptions): QueueBoard {
  const adapter = new FastifyAdapter();
  adapter.setBasePath(QUEUE_BOARD_PATH);
  const board = createBullBoard({
    queues: [],
    serverAdapter: adapter,
    options: {
      uiBasePath: dirname(fileURLToPath(import.meta.resolve('@bull-board/ui/package.json'))),
      uiConfig: {
        boardTitle: 'Haulier queues',
        hideDocsLink: true,
        showWorkers: false,
        pollingInterval: { showSetting: true, forceInterval: POLL_SECONDS },
      },
    },
  });
  const shown = new Map<string, BullMQAdapter>();
  const show: QueueBoard['show'] = (queue) => {
    if (shown.has(queue.name)) return;
    const wrapped = new BullMQAdapter(queue, { readOnlyMode: !options.writable, allowRetries: options.writable });
    shown.set(queue.name, wrapped);
    board.addQueue(wrapped);
  };
  const showNamed = onDemand(options, show);

  return {
    show,
    hide(queue) {
      const wrapped = shown.get(queue.name);
      if (wrapped === undefined) return;
      shown.delete(queue.name);
      board.removeQueue(wrapped);
    },
    async register(app) {
      usePagePolicy(app);
      letViewersLook(app);
      if (!options.writable) refuseChanges(app);
      checkRequests(app, async (request) => refuseOtherSites(request));
      hideActions(app);
      app.addHook('preHandler', async (request) => showNamed(namedBy(request)));
      await app.register(adapter.registerPlugin());
    },
  };
}

/** Shows the queues of the pool, of hosts that have something to do, and the one that a request is about. */
function onDemand({ queues, now }: QueueBoardOptions, show: QueueBoard['show']) {
  let lookedAt = -Infinity;
  return async (name: string | undefined): Promise<void> => {
    if (now() - lookedAt >= LOOK_FOR_HOSTS_EVERY_MS) {
      lookedAt = now();
      for (const host of await queues.hostsAtWork()) show(queues.openQueue(host));
    }
    const host = name === undefined ? undefined : hostOfQueue(name);
    if (host !== undefined && (await queues.hasHost(host))) show(queues.openQueue(host));
    show(queues.openQueue(null)); // used last, so that the pool's queue is never closed to make room
  };
}

/** The queue that a request is about; the list of queues has it in its query, percent-encoded once more. */
function namedBy({ params, query }: FastifyRequest): string | undefined {
  const { queueName } = (params ?? {}) as { queueName?: string };
  const { activeQueue } = (query ?? {}) as { activeQueue?: unknown };
  if (queueName !== undefined || typeof activeQueue !== 'string') return queueName;
  try {
    return decodeURIComponent(activeQueue);
  } catch {
    return activeQueue;
  }
}

const reads = (method: string): boolean => method === 'GET' || method === 'HEAD';

/** Reading needs the scope `read`, every change `admin`. */
function letViewersLook(app: FastifyInstance): void {
  app.addHook('onRoute', (route) => {
    const methods = [route.method].flat();
    route.config = { ...route.config, scope: methods.every(reads) ? 'read' : 'admin' };
  });
}

/** Pages of those who may not act show no buttons; the guard refuses the acts themselves. */
function hideActions(app: FastifyInstance): void {
  app.addHook('preSerialization', async ({ caller }, _reply, payload: unknown) => {
    const { queues } = (payload ?? {}) as { queues?: unknown };
    if (!Array.isArray(queues) || allows(caller?.scopes ?? [], 'admin')) return payload;
    const withoutActions = { readOnlyMode: true, allowRetries: false, allowCompletedRetries: false };
    return { ...(payload as object), queues: queues.map((queue: object) => ({ ...queue, ...withoutActions })) };
  });
}

/** Refuses every method that changes something, in addition to the board's own switch. */
function refuseChanges(app: FastifyInstance): void {
  checkRequests(app, async (request) => {
    if (!reads(request.method))
      throw new RequestError(
        'forbidden',
        'the queue board is read-only here; HAULIER_QUEUE_BOARD=writable changes that',
      );
  });
}
