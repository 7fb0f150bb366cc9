import { randomUUID } from 'node:crypto';
import { HostParams, OrderedVerify, VerifyHostBody } from '#contracts/http/hosts';
import { hostByName } from '#database/host-queries';
import { publishOrder } from '#queue/host-orders';
import type { Dependencies } from '../dependencies.ts';
import { RequestError } from '../request-error.ts';
import { TOKEN_REQUIRED, guardedBy, problems } from '../server/describe.ts';
import type { App } from '../server/app-type.ts';
import { momentOf } from '../views/moment.ts';

export function registerHostRoutes(app: App, deps: Dependencies): void {
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

async function orderVerify(deps: Dependencies, host: string, model: string | undefined): Promise<OrderedVerify> {
  if ((await hostByName(deps.database, host)) === undefined)
    throw new RequestError('unknown-host', `no host "${host}" was ever heard of; GET /api/hosts lists them`);
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
