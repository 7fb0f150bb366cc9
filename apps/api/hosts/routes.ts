import { randomUUID } from 'node:crypto';
import { HostLimitsBody, HostLimitsSet, HostParams, OrderedVerify, VerifyHostBody } from '#contracts/http/hosts';
import { hostByName } from '#database/hosts/host-queries';
import { publishLimits } from '#queue/commands/commands';
import { publishOrder } from '#queue/commands/host-orders';
import { noteForAudit } from '../access/audit/audit-writes.ts';
import type { Dependencies } from '../dependencies.ts';
import { registerHostBulk } from './bulk-routes.ts';
import { registerHostFacets } from './facet-routes.ts';
import { registerHostLabels } from './label-routes.ts';
import { registerHostLife } from './life-routes.ts';
import { registerHostList } from './list-routes.ts';
import { registerRevoke } from './revoke-routes.ts';
import { unknownHost } from './unknown-host.ts';
import { TOKEN_REQUIRED, guardedBy, problems } from '../server/describe.ts';
import type { App } from '../server/app-type.ts';
import { momentOf } from '../server/requests/moment.ts';

export function registerHostRoutes(app: App, deps: Dependencies): void {
  registerHostList(app, deps);
  registerHostFacets(app, deps);
  registerHostLabels(app, deps);
  registerHostLife(app, deps);
  registerHostBulk(app, deps);
  registerRevoke(app, deps);
  registerVerify(app, deps);
  registerLimits(app, deps);
}

function registerVerify(app: App, deps: Dependencies): void {
  app.post(
    '/api/hosts/:name/verify',
    {
      ...guardedBy('write'),
      schema: {
        operationId: 'verifyHost',
        summary: 'Let a host hash what it has; what is damaged is quarantined and repaired',
        description:
          'The order is kept until the worker of the host has carried it out. The same order again, while it waits, takes its place.',
        tags: ['hosts'],
        security: TOKEN_REQUIRED,
        params: HostParams,
        body: VerifyHostBody,
        response: { 202: OrderedVerify, ...problems(400, 404) },
      },
    },
    async (request, reply) => reply.code(202).send(await orderVerify(deps, request.params.name, request.body?.model)),
  );
}

function registerLimits(app: App, deps: Dependencies): void {
  app.patch(
    '/api/hosts/:name/limits',
    {
      ...guardedBy('write'),
      schema: {
        operationId: 'limitHost',
        summary: 'Change the most bytes per second of a host and of the sources it fetches from, at once',
        description:
          'What is left out stays; null goes back to what the worker is configured with. It is kept for a worker that is away or starts later.',
        tags: ['hosts'],
        security: TOKEN_REQUIRED,
        params: HostParams,
        body: HostLimitsBody,
        response: { 200: HostLimitsSet, ...problems(400, 404) },
      },
    },
    async (request) => {
      const set = await setLimits(deps, request.params.name, request.body);
      noteForAudit(request, { after: set });
      return set;
    },
  );
}

/** Limits are kept in Redis only, so a Redis that is down gets an answer of its own. */
async function setLimits(deps: Dependencies, host: string, change: HostLimitsBody): Promise<HostLimitsSet> {
  await assertKnown(deps, host);
  const { workerBytesPerSecond, sources } = await publishLimits(deps.queues.redis, deps.prefix, host, change);
  return { host, workerBytesPerSecond: workerBytesPerSecond ?? null, sources };
}

async function assertKnown({ database }: Dependencies, host: string): Promise<void> {
  if ((await hostByName(database, host)) === undefined) throw await unknownHost(database, host);
}

async function orderVerify(deps: Dependencies, host: string, model: string | undefined): Promise<OrderedVerify> {
  await assertKnown(deps, host);
  const at = deps.now();
  const order = {
    version: 1,
    id: randomUUID(),
    order: 'verify',
    model: model ?? null,
    requestedAt: at.getTime(),
  } as const;
  await publishOrder(deps.queues.redis, deps.prefix, host, order);
  return { id: order.id, host, model: order.model, requestedAt: momentOf(at) };
}
