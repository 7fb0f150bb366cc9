import type { FastifyReply, FastifyRequest } from 'fastify';
import { EnrolBody, Enrolled, EnrolledSelf } from '#contracts/http/access/enrolment';
import { hostOfWorkerToken } from '#database/access/host-keys';
import { hashOfToken, pepperOf } from '../access/authenticate.ts';
import { recordLocalWrite } from '../access/audit/audit-writes.ts';
import { readCredentials } from '../access/credentials.ts';
import type { RequestLimits } from '../access/request-limits.ts';
import { mayBeToken } from '../access/token-format.ts';
import type { Dependencies } from '../dependencies.ts';
import type { App } from '../server/app-type.ts';
import { TOKEN_REQUIRED, problems } from '../server/describe.ts';
import { momentOf } from '../server/requests/moment.ts';
import { RequestError } from '../server/errors/request-error.ts';
import { enrolByToken } from './enrol-host.ts';

const common = { tags: ['enrolment'], security: TOKEN_REQUIRED };

/** What workers ask; they carry tokens of their own, which allow nothing else. */
export function registerEnrolRoutes(app: App, deps: Dependencies, limits: RequestLimits): void {
  app.post(
    '/api/workers/enrol',
    {
      // Before the body is looked at.
      onRequest: async (request, reply) => void bearerOf(request, reply, 'haulier_enr_…'),
      schema: {
        ...common,
        operationId: 'enrolWorker',
        summary: 'Enrol a host with an enrolment token',
        description:
          'The bearer token is one of `POST /api/enrolment-tokens`. The answer has what the worker of the host needs; it is given this once.',
        body: EnrolBody,
        response: { 201: Enrolled, ...problems(400, 409) },
      },
    },
    async (request, reply) => {
      await limits.ofStranger(request, reply);
      const made = await enrolByToken(deps, bearerOf(request, reply, 'haulier_enr_…'), request.body);
      const { host, hostId, pool } = made;
      const write = {
        actor: 'an enrolment token',
        action: 'enrolWorker',
        target: `hosts/${host}`,
        after: { hostId, pool },
      };
      await recordLocalWrite(deps.database, { ...write, now: deps.now() });
      deps.log.info({ host, hostId, pool }, 'host enrolled');
      return reply.code(201).send(made);
    },
  );
  app.get(
    '/api/workers/me',
    {
      schema: {
        ...common,
        operationId: 'getEnrolledWorker',
        summary: 'The host that a worker token belongs to',
        response: { 200: EnrolledSelf, ...problems() },
      },
    },
    async (request, reply) => {
      await limits.ofStranger(request, reply);
      return selfOf(deps, bearerOf(request, reply, 'haulier_wrk_…'));
    },
  );
}

async function selfOf({ database, now }: Dependencies, token: string): Promise<EnrolledSelf> {
  const hash = hashOfToken(token, await pepperOf(database, now()));
  const key = mayBeToken(token) ? await hostOfWorkerToken(database, hash) : undefined;
  if (key === undefined)
    throw new RequestError('unauthenticated', 'the worker token is unknown, or its host was revoked');
  return { hostId: key.id, host: key.shownHost, pool: key.mayPool, enrolledAt: momentOf(key.enrolledAt) };
}

function bearerOf(request: FastifyRequest, reply: FastifyReply, form: string): string {
  const credentials = readCredentials(request.headers.authorization);
  void reply.header('www-authenticate', 'Bearer realm="haulier"');
  if (credentials?.scheme === 'bearer') return credentials.token;
  throw new RequestError('unauthenticated', `send a token: "Authorization: Bearer ${form}"`);
}
