import { hostname } from 'node:os';
import { createClient } from '#client/client';
import type { DisabledSource } from '#contracts/worker/disabled-source';
import type { SourceOrder } from '#contracts/worker/source-order';
import type { ReportedSource, WorkerEvent } from '#contracts/worker/worker-events';
import type { Logger } from '#core/logger';
import { SECOND_MS } from '#core/units';
import type { Http } from '#http/pool';
import { checkRedis } from '#queue/check-redis';
import { CommandListener } from '#queue/commands/commands';
import { connectPatiently, disconnect, type RedisClient } from '#queue/connection';
import { EventPublisher, type EventPublisherOptions } from '#queue/events/event-publisher';
import { HostLock } from '#queue/jobs/host-lock';
import { JobConsumer } from '#queue/jobs/job-consumer';
import { GrowingFiles } from '#serve/swarm/growing-files';
import { OriginGates } from '#sources/guards/limited';
import { SourceHealth } from '#sources/guards/source-health';
import type { Tracing } from '#tracing/tracing';
import type { Store } from '#store/open-store';
import type { WorkerConfig } from './config.ts';
import { createFetcher, type Fetcher, type FetcherDeps } from './downloads/fetcher.ts';
import { createDownloadHandler } from './downloads/download-file.ts';
import { storeLeafTables } from './downloads/leaf-table-cache.ts';
import { storeChange } from './host/inventory-reporter.ts';
import { createMaintenance } from './host/maintenance.ts';
import { ProgressPublisher } from './downloads/progress-publisher.ts';
import { RunningDownloads } from './downloads/running-downloads.ts';
import { storeServer } from './serve/store-server.ts';
import { noticeEvents, type StoreNotices } from './host/store-notices.ts';
import { TransferLimits } from './downloads/transfer-limits.ts';
import { unhandledFailureEvent } from './downloads/unhandled-failure.ts';
import { MetricsServer } from './metrics-server.ts';
import type { HeldIdentity } from './worker-identity.ts';
import { SourcePlaces } from './downloads/source-places.ts';
import { sourceReports } from './downloads/source-reports.ts';
import { workerSources, type SharedBySources } from './downloads/worker-sources.ts';
import { workerSwarm, type WorkerSwarm, type WorkerSwarmOptions } from './swarm/worker-swarm.ts';

/** A tracker that does not answer by then is away, and hosts go on without it. */
const TRACKER_TIMEOUT_MS = 5 * SECOND_MS;

export interface Worker {
  /** Resolves once jobs are taken; waits for Redis. */
  start(): Promise<void>;
  /** Puts the jobs back and delivers the waiting events, within two seconds. Safe twice and before start. */
  stop(): Promise<void>;
}

/** Resources of a worker; opened by `main.ts`. */
export interface WorkerResources {
  readonly store: Store;
  readonly http: Http;
  readonly storeNotices: StoreNotices;
  readonly tracing: Tracing;
  /** Of this program. */
  readonly workerVersion: string;
  /** Of an enrolled host: signs its events. */
  readonly seal: EventPublisherOptions['seal'];
  /** The worker must stop: another one serves its host. */
  readonly onHostLost: (error: Error) => void;
}

/** Wires the parts of a worker; starts nothing. */
export function createWorker(
  config: WorkerConfig,
  identity: HeldIdentity,
  { store, http, storeNotices, tracing, workerVersion, seal, onHostLost }: WorkerResources,
  logger: Logger,
): Worker {
  const [{ host, pool, concurrency }, { prefix }, downloads] = [config, config.redis, new RunningDownloads(Date.now)];
  const [redis, shares] = [connectPatiently(config.redis, 'worker', logger), sharedFiles(identity)];
  const [sources, own] = [knownSources(config), { config, identity, redis, http, workerVersion }];
  const [metrics, limits] = [metricsOf(config, workerVersion, sources, logger), new TransferLimits(config)];
  const heard = { shares, metrics, limits };
  const { guarded, swarm } = openSwarm(config, identity, store, { http, ...sources }, heard, logger);
  const { append, flush, ...events } = openPublisher(config, identity, redis, seal, { metrics, swarm }, logger);
  const shared = { store, flush, tracing, logger };
  const maintenance = createMaintenance({ ...shared, ...sources, ...own, publish: append });
  const publish = (event: WorkerEvent): void => {
    append(event);
    maintenance.storeChanged(storeChange(event));
  };
  const commands = listenToCommands(config, redis, { downloads, limits, ...sources }, logger);
  const recallCommands = commands.recall.bind(commands);
  const reporter = new ProgressPublisher({ downloads, publish: append, recallCommands, logger });
  const fetcher = fetcherOf(config, { limits, ...sources }, store, guarded, swarm, logger);
  const handler = createDownloadHandler({ ...shared, publish, fetcher, downloads, onServed: maintenance.served });
  tellNotices(storeNotices, maintenance, publish);
  const handling = { handler, onUnhandledFailure: tellUnhandledFailure(publish), logger };
  const consumer = new JobConsumer({ ...handling, redis, prefix, identity, host, pool, concurrency });
  const server = storeServer(config, store, http, toldOf(metrics, swarm), withTokens(shares, swarm, sources), logger);
  const hostLock = lockOfHost(config, identity, redis, { publish: append, onHostLost }, logger);
  const start = async (isStopped: () => boolean): Promise<void> => {
    commands.start();
    await Promise.all([metrics.start(), warnOfRedis(redis, logger)]);
    await hostLock?.take();
    reporter.start();
    // The limits and what is disabled must be known before the first request to a source.
    await commands.recall([]);
    swarm.start(await server.start());
    await consumer.start();
    if (!isStopped()) maintenance.start();
  };
  const stop = async (): Promise<void> => {
    await Promise.all([consumer.stop(), maintenance.stop(), server.stop(), swarm.stop()]);
    reporter.stop();
    commands.stop();
    await Promise.all([events.stop(), hostLock?.stop(), metrics.stop(), tracing.stop()]);
    disconnect(redis);
    http.close();
    await identity.release();
  };
  return stoppable(start, stop);
}

/** What other hosts get from this worker, and its name among them. */
const sharedFiles = ({ workerId: peerId }: HeldIdentity) => ({ growing: new GrowingFiles(), peerId });

/** What this worker learns of its sources, over all downloads. */
function knownSources(config: WorkerConfig) {
  const [health, gates, places] = [new SourceHealth(), new OriginGates(), new SourcePlaces()];
  return { health, gates, places, readSources: (): ReportedSource[] => sourceReports(config, health, gates.limits) };
}

const metricsOf = (
  { metricsPort: port, metricsBind: bind }: WorkerConfig,
  workerVersion: string,
  { readSources }: ReturnType<typeof knownSources>,
  logger: Logger,
): MetricsServer => new MetricsServer({ port, bind, workerVersion, readSources, logger });

/** What other hosts get, and what is heard of them. */
interface Heard {
  readonly shares: ReturnType<typeof sharedFiles>;
  readonly metrics: MetricsServer;
  readonly limits: TransferLimits;
}

function openSwarm(
  { swarm, labels }: WorkerConfig,
  { bootId }: HeldIdentity,
  store: Store,
  sources: Omit<SharedBySources, 'onFirstByte'>,
  { shares, metrics, limits }: Heard,
  logger: Logger,
) {
  const onSiteLimit = limits.setOutside.bind(limits);
  const guarded: SharedBySources = { ...sources, onFirstByte: metrics.firstByte };
  const clientOf: WorkerSwarmOptions['clientOf'] = ({ apiUrl, workerToken }) =>
    createClient({ baseUrl: apiUrl, token: workerToken, timeoutMs: TRACKER_TIMEOUT_MS });
  const options = { ...guarded, ...shares, bootId, site: labels['site'], store, clientOf, onSiteLimit, logger };
  return { guarded, swarm: workerSwarm(swarm, options) };
}

const withTokens = (
  shares: ReturnType<typeof sharedFiles>,
  { allowedBy }: WorkerSwarm,
  guards: ReturnType<typeof knownSources>,
) => ({ ...shares, allowedBy, guards });

/** What the server of this host tells of its answers. */
const toldOf = (
  { served, expose }: MetricsServer,
  { gave }: WorkerSwarm,
): Pick<MetricsServer, 'served' | 'expose'> => ({
  expose,
  served: (answer) => {
    served(answer);
    gave(answer);
  },
});

/** Publishes what the store notices by itself. */
function tellNotices(
  notices: StoreNotices,
  { isNews }: Pick<ReturnType<typeof createMaintenance>, 'isNews'>,
  publish: (event: WorkerEvent) => void,
): void {
  notices.subscribe((notice) => {
    if (isNews(notice)) noticeEvents(notice, Date.now()).forEach(publish);
  });
}

/** Publishes events, and tells those who follow them. */
function openPublisher(
  { redis: { prefix }, host }: WorkerConfig,
  { bootId }: HeldIdentity,
  redis: RedisClient,
  seal: WorkerResources['seal'],
  { metrics, swarm }: { readonly metrics: MetricsServer; readonly swarm: WorkerSwarm },
  logger: Logger,
) {
  const publisher = new EventPublisher({ redis, prefix, host: host ?? null, bootId, seal, logger });
  const flush = async (signal?: AbortSignal): Promise<void> => {
    await publisher.flush(signal);
    metrics.contacted();
  };
  const append = (event: WorkerEvent): void => {
    metrics.count(event);
    swarm.note(event);
    publisher.publish(event);
    // A worker without downloads is in contact as well.
    if (event.type === 'host.report') flush().catch((err: unknown) => logger.debug({ err }, 'the report waits'));
  };
  return { append, flush, stop: () => publisher.stop() };
}

/** A worker without a host name shares its jobs with others and needs no lock. */
function lockOfHost(
  { host, redis: { prefix } }: WorkerConfig,
  identity: HeldIdentity,
  redis: RedisClient,
  { publish, onHostLost }: { publish: (event: WorkerEvent) => void; onHostLost: (error: Error) => void },
  logger: Logger,
): HostLock | undefined {
  if (host === undefined) return undefined;
  const onRefused = (machine: string): void => {
    const message = `another worker of this host started on the machine "${machine}" and was refused`;
    logger.warn({ machine }, message);
    const about = { model: null, path: null, facts: { machine } };
    publish({ type: 'host.notice', at: Date.now(), notice: 'second_worker', message, ...about });
  };
  return new HostLock({ redis, prefix, host, identity, machine: hostname(), onLost: onHostLost, onRefused, logger });
}

async function warnOfRedis(redis: RedisClient, logger: Logger): Promise<void> {
  for (const warning of (await checkRedis(redis)).warnings)
    logger.warn({ warning }, 'redis is not set up for production');
}

/** A start that fails because of a stop resolves. */
function stoppable(start: (isStopped: () => boolean) => Promise<void>, stop: () => Promise<void>): Worker {
  let stopped = false;
  return {
    start: () =>
      start(() => stopped).catch((error: unknown) => {
        if (!stopped) throw error;
      }),
    stop: () => {
      stopped = true;
      return stop();
    },
  };
}

function listenToCommands(
  { redis: settings, host, pool }: WorkerConfig,
  redis: RedisClient,
  {
    downloads,
    limits,
    health,
    places,
  }: { downloads: RunningDownloads; limits: TransferLimits; health: SourceHealth; places: SourcePlaces },
  logger: Logger,
): CommandListener {
  const onCommand = downloads.obey.bind(downloads);
  const onLimits = limits.change.bind(limits);
  const onDisabledSources = (sources: readonly DisabledSource[]): void => {
    const now = Date.now();
    health.setDisabled(
      sources.map(({ origin, note, until }) => ({ origin, note, forMs: until === null ? undefined : until - now })),
    );
  };
  const onSourceOrders = (orders: readonly SourceOrder[]): void => places.set(orders);
  const hearing = { onCommand, onLimits, onDisabledSources, onSourceOrders };
  return new CommandListener({ settings, redis, host, pool, ...hearing, logger });
}

function fetcherOf(
  config: WorkerConfig,
  { limits, places }: Pick<FetcherDeps, 'limits' | 'places'>,
  store: Store,
  shared: SharedBySources,
  swarm: WorkerSwarm,
  logger: Logger,
): Fetcher {
  const [sourcesOf, tables] = [workerSources(config, shared, logger), storeLeafTables(store, logger)];
  return createFetcher({ config, limits, places, sourcesOf, swarm, health: shared.health, tables });
}

const tellUnhandledFailure =
  (publish: (event: WorkerEvent) => void) =>
  (jobId: string, error: Error): void => {
    const event = unhandledFailureEvent(jobId, error, Date.now());
    if (event !== undefined) publish(event);
  };
