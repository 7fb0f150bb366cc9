import { randomUUID } from 'node:crypto';
import type { FastifyBaseLogger } from 'fastify';
import { hostKey } from '#core/text/host-name';
import { connect } from '#database/sql/connect';
import type { Database } from '#database/sql/connect';
import { withoutReplica, withReplica, type ListReader } from '#database/sql/read-replica';
import { SECOND_MS } from '#core/units';
import { hostsAtWork, isKnownHost } from '#database/hosts/host-queries';
import { parseAddressPolicy } from '#http/address/address-policy';
import { createHttp } from '#http/pool';
import { systemAuthorities } from '#http/connection/system-authorities';
import { createControlPlaneMetrics } from '#metrics/control-plane-metrics';
import { probeAccess } from '#queue/access/worker-users';
import { checkRedis } from '#queue/check-redis';
import type { RedisSettings } from '#queue/connection';
import { DownloadQueues } from '#queue/jobs/download-queue';
import { MaintenanceQueue } from '#queue/jobs/maintenance-queue';
import { openTracing } from '#tracing/open-tracing';
import type { Tracing } from '#tracing/tracing';
import { createApp } from './app.ts';
import type { ApiConfig } from './config.ts';
import type { Dependencies } from './dependencies.ts';
import { makeEnrolmentToken } from './enrolment/enrolment-tokens.ts';
import { createAccessKeeper } from './enrolment/host-access.ts';
import { createHealth } from './system/health.ts';
import type { Health } from './system/health.ts';
import { createLive } from './live/live-events-process.ts';
import { createLoop, type Loop } from './background/loop.ts';
import { createBulkRunner } from './bulk/run-bulk-actions.ts';
import { createConductor } from './rollouts/conductor.ts';
import { createSourceRules } from './sources/tell-workers.ts';
import { createQueueSampler } from './metrics/chart-routes.ts';
import { createQueueBoard } from './system/queue-board.ts';
import type { BoardQueues, QueueBoard } from './system/queue-board-type.ts';
import { createCountKeeper } from './background/count-keeper.ts';
import { createReconciler } from './background/reconciler.ts';
import { createRecorder } from './background/recorder.ts';
import { createRepairs } from './background/repairs.ts';
import { createSettlement } from './background/site-charges.ts';
import { createRelay } from './background/relay.ts';
import type { ProjectFiles } from './project-files.ts';
import { prepareDatabase, type FirstAccess } from './start-up.ts';
import { createSwarmFollower } from './swarm/follow-swarms.ts';
import { createAuthenticator } from './access/authenticate.ts';
import { createVersionChecks } from './background/version-checks.ts';
import { createWebhookSender } from './webhooks/sender.ts';
import { createHostWatch, createSourceWatch, createWebhookHistory } from './webhooks/watches.ts';

/** The whole API as one thing that starts and stops. */
export interface ApiProcess {
  /**
   * Listens, then waits for Postgres, migrates, and begins to work. Redis may be away.
   *
   * @returns the address, and the first access if it was just made
   */
  start(): Promise<{ url: string } & FirstAccess>;
  /**
   * Makes an enrolment token for a host of the process that started this one.
   *
   * @throws Error when Redis cannot keep hosts apart, or does not answer
   */
  enrolmentToken(wish: { readonly host: string; readonly pool: boolean }): Promise<string>;
  /** Lets running requests finish and leaves no connection behind. Safe twice and before start. */
  stop(): Promise<void>;
}

export async function createApiProcess(
  config: ApiConfig,
  files: ProjectFiles,
  log: FastifyBaseLogger,
): Promise<ApiProcess> {
  const redis = { url: config.redisUrl, prefix: config.redisPrefix };
  const tracing = await openTracing(config.tracing, 'haulier-api', files.version);
  const { database, lists, board, queues, maintenance, close } = openConnections(config, redis, tracing, log);
  const live = createLive({ database, now: () => new Date(), settings: redis, redis: queues.redis, log });
  const base = baseOf(config, files.version, { database, lists, queues, live, changes: live.changes, tracing, log });
  const sender = createWebhookSender(base, base.openHttp);
  const nudging = { ...base, nudgeWebhooks: () => sender.nudge() };
  const { deps, loops } = createLoops(nudging, config, maintenance);
  const recorder = createRecorder(deps, redis, `api-${randomUUID()}`);
  const [state, stopping] = [{ prepared: false }, new AbortController()];
  const app = await createApp({
    deps,
    authenticator: createAuthenticator(database, deps.now),
    requestsPerMinute: config.requestsPerMinute,
    sessionLimits: config.sessionLimits,
    logger: log,
    version: files.version,
    health: healthOf(database, queues, state, log),
    recorderCounts: () => recorder.counts(),
    docs: config.docs,
    dashboard: files.dashboard,
    board,
  });
  const runners = [...loops, sender, recorder];
  const start = async () => {
    const url = await app.listen({ host: config.bind, port: config.port });
    log.info({ url }, 'listening');
    const access = await prepareDatabase({ ...config, ...files, database, log, signal: stopping.signal });
    state.prepared = true;
    board?.show(maintenance.queue);
    for (const runner of [live, ...runners]) runner.start();
    log.info({ url }, 'working');
    return { url, ...access };
  };
  const stop = async () => {
    stopping.abort();
    state.prepared = false;
    live.endRequests();
    await app.close();
    await Promise.all(runners.map((runner) => runner.stop()));
    await live.stop();
    await close();
  };
  return { start, enrolmentToken: tokenMaker(deps), stop: once(stop) };
}

/** What the whole process shares; nothing uses it any more when `close` is called. */
function openConnections(config: ApiConfig, redis: RedisSettings, tracing: Tracing, log: FastifyBaseLogger) {
  const database = connect({ url: config.databaseUrl, poolSize: config.databasePool, logger: log });
  const lists = listsOf(config, database, log);
  const board = boardOf(config, database, (host) => queues.openQueue(host));
  const queues: DownloadQueues = new DownloadQueues({
    redis,
    logger: log,
    onQueueClosing: (queue) => board?.hide(queue),
  });
  const maintenance = new MaintenanceQueue({ redis: queues.redis, prefix: redis.prefix, logger: log });
  const close = () => Promise.all([maintenance.stop(), queues.stop(), lists.close(), database.close(), tracing.stop()]);
  return { database, lists, board, queues, maintenance, close };
}

const tokenMaker =
  (deps: Dependencies): ApiProcess['enrolmentToken'] =>
  async ({ host, pool }) => {
    await probeAccess(deps.queues.redis, deps.prefix);
    const wish = { host: hostKey(host), pool, expiresInSeconds: PARENT_TOKEN_S };
    return (await makeEnrolmentToken(deps, wish, 'haulier up')).token;
  };

/** Life of a token that the parent process uses at once. */
const PARENT_TOKEN_S = 600;

/** What requests and loops work with, but for the loops that they nudge. */
type Base = Omit<Dependencies, 'nudgeRelay' | 'nudgeConductor' | 'nudgeBulk' | 'nudgeWebhooks'>;

function baseOf(
  config: ApiConfig,
  version: string,
  made: Pick<Dependencies, 'database' | 'lists' | 'queues' | 'live' | 'changes' | 'tracing' | 'log'>,
): Base {
  const { redisPrefix: prefix, hostOfflineAfterMs, enrolment, workerRedisUrl, allowAddresses, proxy } = config;
  const webhookAddresses = parseAddressPolicy(allowAddresses);
  const ca = config.useSystemCa ? systemAuthorities() : undefined;
  const http = { addressPolicy: webhookAddresses, proxy, ca, userAgent: `haulier/${version}` };
  return {
    ...{ ...made, prefix, hostOfflineAfterMs, enrolment, workerRedisUrl, webhookAddresses },
    metrics: createControlPlaneMetrics(version),
    ...{ openHttp: () => createHttp(http), now: () => new Date() },
  };
}

/** The loops beside the requests. Those that others nudge come first. */
function createLoops(
  base: Base & Pick<Dependencies, 'nudgeWebhooks'>,
  config: ApiConfig,
  maintenance: MaintenanceQueue,
): { deps: Dependencies; loops: readonly Loop[] } {
  const relay = createRelay(base);
  const nudgeRelay = (): void => relay.nudge();
  const conductor = createConductor({ ...base, nudgeRelay });
  const bulk = createBulkRunner({ ...base, nudgeRelay });
  const deps = {
    ...{ ...base, nudgeRelay },
    ...{ nudgeConductor: () => conductor.nudge(), nudgeBulk: () => bulk.nudge() },
  };
  const repairs = createRepairs(deps, config.repairHosts);
  const versionChecks = createVersionChecks(deps, maintenance, config.versionCheckMs);
  const watches = [
    createHostWatch(deps, () => deps.queues.redis.ping()),
    createSourceWatch(deps),
    createWebhookHistory(deps, config.historyMs),
    createAccessKeeper(deps),
    createQueueSampler(deps),
    createCountKeeper(deps),
    createSourceRules(deps),
    createSettlement(deps),
    createSwarmFollower(deps),
  ];
  const marking = config.databaseReadUrl === undefined ? [] : [markingLoop(deps)];
  const own = [relay, conductor, bulk, ...createReconciler(deps, config), repairs, versionChecks];
  return { deps, loops: [...own, ...watches, ...marking] };
}

const MARK_EVERY_MS = 2 * SECOND_MS;

/** Its marks tell how old the replica is. */
const markingLoop = ({ lists, log }: Pick<Dependencies, 'lists' | 'log'>): Loop =>
  createLoop({ name: 'replica-mark', everyMs: MARK_EVERY_MS, log, round: () => lists.beat().then(() => false) });

const listsOf = (
  { databaseReadUrl: url, databasePool: poolSize }: ApiConfig,
  database: Database,
  logger: FastifyBaseLogger,
): ListReader =>
  url === undefined
    ? withoutReplica(database)
    : withReplica(database, { url, poolSize, logger, now: () => new Date() });

const once = (work: () => Promise<void>): (() => Promise<void>) => {
  let running: Promise<void> | undefined;
  return () => (running ??= work());
};

/** The queue of each is asked for its counts at every look of a person at the board. */
const MAX_HOSTS_SHOWN = 50;

function boardOf(
  { queueBoard }: ApiConfig,
  database: Database,
  openQueue: BoardQueues['openQueue'],
): QueueBoard | undefined {
  if (queueBoard === 'off') return undefined;
  return createQueueBoard({
    writable: queueBoard === 'writable',
    queues: {
      openQueue,
      hostsAtWork: () => hostsAtWork(database, MAX_HOSTS_SHOWN),
      hasHost: (name) => isKnownHost(database, name),
    },
    now: () => performance.now(),
  });
}

function healthOf(
  database: Database,
  queues: DownloadQueues,
  state: { readonly prepared: boolean },
  log: FastifyBaseLogger,
): Health {
  const warned = new Set<string>();
  const warnOnce = (warning: string): void => {
    if (!warned.has(warning)) log.warn({ warning }, 'redis is not set up for production');
    warned.add(warning);
  };
  return createHealth({
    postgres: async () => {
      await database.pool.query('SELECT 1');
    },
    redis: async () => {
      for (const warning of (await checkRedis(queues.redis)).warnings) warnOnce(warning);
    },
    database: async () => {
      if (!state.prepared) throw new Error('migrations and the first token are not done yet, or the API is stopping');
    },
  });
}
