import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createBullBoard } from '@bull-board/api';
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import { FastifyAdapter } from '@bull-board/fastify';
import type { FastifyInstance } from 'fastify';
import { QUEUE_BOARD_PATH } from './queue-board-type.ts';
import type { QueueBoard } from './queue-board-type.ts';
import { RequestError } from '../server/errors/request-error.ts';
import { checkRequests } from '../server/errors/error-handler.ts';
import { usePagePolicy } from '../server/security-headers.ts';

const POLL_SECONDS = 10;

export interface QueueBoardOptions {
  /** False refuses every change: retry, remove, pause, empty. */
  readonly writable: boolean;
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

  return {
    show(queue) {
      if (shown.has(queue.name)) return;
      const wrapped = new BullMQAdapter(queue, { readOnlyMode: !options.writable, allowRetries: options.writable });
      shown.set(queue.name, wrapped);
      board.addQueue(wrapped);
    },
    hide(queue) {
      const wrapped = shown.get(queue.name);
      if (wrapped === undefined) return;
      shown.delete(queue.name);
      board.removeQueue(wrapped);
    },
    async register(app) {
      usePagePolicy(app);
      if (!options.writable) refuseChanges(app);
      refuseOtherSites(app);
      await app.register(adapter.registerPlugin());
    },
  };
}

/** Refuses every method that changes something, in addition to the board's own switch. */
function refuseChanges(app: FastifyInstance): void {
  checkRequests(app, async (request) => {
    if (request.method !== 'GET' && request.method !== 'HEAD')
      throw new RequestError(
        'forbidden',
        'the queue board is read-only here; HAULIER_QUEUE_BOARD=writable changes that',
      );
  });
}

/** A browser sends Basic credentials with requests of any page, so changes are accepted from our own pages only. */
function refuseOtherSites(app: FastifyInstance): void {
  checkRequests(app, async (request) => {
    const site = request.headers['sec-fetch-site'];
    const changes = request.method !== 'GET' && request.method !== 'HEAD';
    if (changes && site !== undefined && site !== 'same-origin' && site !== 'none')
      throw new RequestError('forbidden', 'the request comes from another site');
  });
}
