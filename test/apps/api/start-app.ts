import Fastify from 'fastify';
import { createApp } from '../../../apps/api/app.ts';
import type { Dependencies } from '../../../apps/api/dependencies.ts';
import { createHealth } from '../../../apps/api/system/health.ts';
import { createLive } from '../../../apps/api/live/live-events-process.ts';
import type { App } from '../../../apps/api/server/app-type.ts';
import { createAuthenticator, hashOfToken, pepperOf } from '../../../apps/api/access/authenticate.ts';
import type { SessionLimits } from '../../../apps/api/access/users/sessions.ts';
import { makeToken } from '../../../apps/api/access/token-format.ts';
import { silentLogger } from '#core/logger';
import type { Database } from '#database/sql/connect';
import { withoutReplica, type ListReader } from '#database/sql/read-replica';
import { parseAddressPolicy } from '#http/address/address-policy';
import { createHttp } from '#http/pool';
import { createControlPlaneMetrics } from '#metrics/control-plane-metrics';
import { NO_TRACING } from '#tracing/tracing';
import { createToken } from '#database/access/token-queries';
import { DownloadQueues } from '#queue/jobs/download-queue';
import { createTestDatabase, type TestDatabase } from '../../helpers/database.ts';
import { testRedis, type TestRedis } from '../../helpers/redis.ts';

export interface Answer {
  readonly statusCode: number;
  readonly headers: Headers;
  readonly body: string;
  json<Body>(): Body;
}

export interface TestApp {
  readonly app: App;
  readonly deps: Dependencies;
  /** A token of each kind, by its one scope. */
  readonly tokens: Readonly<Record<'read' | 'write' | 'admin', string>>;
  /** How often a route asked the relay to hurry. */
  readonly nudges: () => number;
  readonly url: string;
  /** Sends a request over HTTP, with the write token unless the headers say otherwise. */
  call(method: string, path: string, body?: object | string, headers?: Record<string, string>): Promise<Answer>;
  stop(): Promise<void>;
  /** What another API beside this one uses too. */
  readonly shared: Pick<TestDatabase, 'database' | 'drop'> & { readonly redis: TestRedis };
}

export interface TestAppOptions {
  readonly redisUrl?: string;
  /** Default: lists are read from the database itself. */
  readonly lists?: (database: Database) => ListReader;
  /** Where webhooks may send to beside public addresses. */
  readonly allowAddresses?: readonly string[];
  /** A route has made a message of a webhook due. */
  readonly nudgeWebhooks?: () => void;
  readonly enrolment?: 'optional' | 'required';
  /** The clock of the API. */
  readonly now?: () => Date;
  readonly requestsPerMinute?: number;
  readonly sessionLimits?: Partial<SessionLimits>;
  /** Hears what other API processes tell, and tells its own clients; default: deaf. */
  readonly live?: boolean;
  /** Another API whose database and keys in Redis this one shares; stop that one last. */
  readonly beside?: TestApp;
}

/** The API without its pages, on a database and a Redis prefix of its own; relay, recorder and reconciler are called by the tests. */
export async function startApp(options: TestAppOptions = {}): Promise<TestApp> {
  const { database, drop, redis } = options.beside?.shared ?? {
    ...(await createTestDatabase()),
    redis: testRedis(options.redisUrl),
  };
  const queues = new DownloadQueues({ redis: redis.settings, logger: silentLogger });
  const now = options.now ?? (() => new Date());
  const live = createLive({ database, now, settings: redis.settings, redis: queues.redis, log: silentLogger });
  if (options.live) live.start();
  let nudges = 0;
  const deps: Dependencies = {
    database,
    lists: options.lists?.(database) ?? withoutReplica(database),
    queues,
    prefix: redis.settings.prefix,
    live,
    metrics: createControlPlaneMetrics('0.0.0-test'),
    changes: live.changes,
    nudgeRelay: () => {
      nudges += 1;
    },
    nudgeConductor: () => undefined,
    nudgeBulk: () => undefined,
    nudgeWebhooks: () => options.nudgeWebhooks?.(),
    openHttp: () => createHttp({ addressPolicy: parseAddressPolicy(options.allowAddresses ?? []) }),
    webhookAddresses: parseAddressPolicy(options.allowAddresses ?? []),
    hostOfflineAfterMs: 120_000,
    enrolment: options.enrolment ?? 'optional',
    workerRedisUrl: redis.settings.url,
    tracing: NO_TRACING,
    now,
    log: silentLogger,
  };
  const app = await createApp({
    deps,
    authenticator: createAuthenticator(database, deps.now),
    requestsPerMinute: options.requestsPerMinute ?? 1_000_000,
    sessionLimits: { idleMs: 3_600_000, lifeMs: 86_400_000, withoutTls: false, ...options.sessionLimits },
    logger: Fastify().log,
    version: '0.0.0-test',
    health: createHealth({
      postgres: async () => {
        await database.pool.query('SELECT 1');
      },
    }),
    recorderCounts: () => ({ applied: 0, dropped: 0 }),
    docs: false,
    dashboard: undefined,
    board: undefined,
  });
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  const tokens = { read: await give(deps, 'read'), write: await give(deps, 'write'), admin: await give(deps, 'admin') };
  return {
    app,
    deps,
    tokens,
    nudges: () => nudges,
    url,
    shared: { database, drop, redis },
    call: (method, path, body, headers = {}) =>
      send(url + path, method, takingUnknownHosts(method, path, body), {
        authorization: `Bearer ${tokens.write}`,
        ...headers,
      }),
    async stop() {
      live.endRequests();
      await app.close();
      await live.stop();
      await queues.stop();
      if (options.beside !== undefined) return;
      await redis.cleanup();
      await drop();
    },
  };
}

/** No worker reports to this API, so downloads are taken for hosts without one, unless the test says otherwise. */
const takingUnknownHosts = (method: string, path: string, body: object | string | undefined) =>
  method === 'POST' &&
  path.startsWith('/api/downloads') &&
  typeof body === 'object' &&
  /"hosts?":/.test(JSON.stringify(body))
    ? { allowUnknown: true, ...body }
    : body;

async function give({ database, now }: Dependencies, scope: string): Promise<string> {
  const token = makeToken('pat');
  const hash = hashOfToken(token, await pepperOf(database, now()));
  await createToken(database, { name: `test ${scope}`, hash, last4: token.slice(-4), scopes: [scope] }, now());
  return token;
}

/** Requests to an API that runs elsewhere. */
export const callAt =
  (url: string): TestApp['call'] =>
  (method, path, body, headers = {}) =>
    send(url + path, method, body, headers);

/** A string is sent as it is, an object as JSON; a header of '' is left out. */
async function send(
  url: string,
  method: string,
  body: object | string | undefined,
  headers: Record<string, string>,
): Promise<Answer> {
  const response = await fetch(url, {
    method,
    headers: Object.entries({
      ...(typeof body === 'object' ? { 'content-type': 'application/json' } : {}),
      ...headers,
    }).filter(([, value]) => value !== ''),
    redirect: 'manual',
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  return {
    statusCode: response.status,
    headers: response.headers,
    body: text,
    json: <Body>() => JSON.parse(text) as Body,
  };
}
