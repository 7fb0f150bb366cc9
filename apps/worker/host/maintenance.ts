import { join } from 'node:path';
import type { CheckVersionJob } from '#contracts/worker/check-version-job';
import type { DownloadJob } from '#contracts/worker/download-job';
import type {
  ActivateOrder,
  HostOrder,
  ReportedSource,
  VerifyOrder,
  WorkerEvent,
} from '#contracts/worker/worker-events';
import type { Logger } from '#core/logger';
import { SECOND_MS } from '#core/units';
import type { Http } from '#http/pool';
import type { RedisClient } from '#queue/connection';
import type { SourceHealth } from '#sources/guards/source-health';
import { HostOrders } from '#queue/commands/host-orders';
import { MaintenanceConsumer } from '#queue/jobs/maintenance-consumer';
import { readAnswers, tellAnswer } from '#queue/commands/version-answers';
import { within } from '#queue/within';
import { systemClock } from '#os/clock';
import type { StoreNotice } from '#store/context';
import type { Store } from '#store/open-store';
import { pacer } from '#store/upkeep/rolling-verify';
import { StoreSweep } from '#store/upkeep/store-sweep';
import type { WorkerConfig } from '../config.ts';
import { readHostFacts } from './host-facts.ts';
import type { HeldIdentity } from '../worker-identity.ts';
import { activate } from './activate.ts';
import { checkVersion } from './check-version.ts';
import { InventoryReporter } from './inventory-reporter.ts';
import { StaleWatch } from './stale-watch.ts';
import { VersionAnswers } from './version-answers.ts';

export interface MaintenanceDeps {
  readonly config: WorkerConfig;
  readonly identity: HeldIdentity;
  readonly redis: RedisClient;
  readonly store: Store;
  readonly http: Http;
  readonly health: SourceHealth;
  readonly publish: (event: WorkerEvent) => void;
  readonly flush: (signal?: AbortSignal) => Promise<void>;
  readonly workerVersion: string;
  /** What is known of the sources now. */
  readonly readSources?: (() => ReportedSource[]) | undefined;
  readonly logger: Logger;
}

/** What a worker does beside its downloads. */
export interface Maintenance {
  start(): void;
  /** A file came or went. */
  storeChanged(change: 'added' | 'removed' | undefined): void;
  /** A file of a job is there. */
  served(job: DownloadJob): void;
  /** False for a warning that was published before and still holds. */
  isNews(notice: StoreNotice): boolean;
  /** Safe twice and before start. */
  stop(): Promise<void>;
}

/** Longest wait for the answers that other hosts stored; beyond it this host counts as offline. */
const FLEET_ANSWER_MS = 5 * SECOND_MS;

/** Watches, verifies and sweeps the store and reports its inventory. Only a named host has an inventory and takes orders. */
export function createMaintenance(deps: MaintenanceDeps): Maintenance {
  const { config, identity, redis, store, logger } = deps;
  const { inventory, orders } = createReporting(deps);
  const rolling = store.rollingVerify();
  const views = store.viewWatch({ onRecordsLost: () => inventory?.nudge(true) });
  const { everyMs, ...limits } = config.sweep;
  const sweep = new StoreSweep({ store, limits, everyMs, onSwept: () => inventory?.nudge(), logger });
  const answers = new VersionAnswers(join(config.home, 'worker', 'version-answers.json'));
  const stale = createStaleWatch(deps, answers);
  const onCheck = (job: CheckVersionJob, signal: AbortSignal): Promise<void> => check(deps, answers, job, signal);
  const checks = config.checksVersions
    ? new MaintenanceConsumer({ redis, prefix: config.redis.prefix, identity, onCheck, logger })
    : undefined;
  return {
    start: () => {
      inventory?.start();
      orders?.start();
      rolling.start();
      views.start();
      checks?.start();
      sweep.start();
      stale.start();
    },
    storeChanged: (change) => {
      if (change !== undefined) inventory?.nudge(change === 'removed');
    },
    served: ({ model }) => {
      if (model === undefined) return;
      stale
        .lookAt(model.name, model.checkedAt)
        .catch((err: unknown) => logger.warn({ model: model.name, err }, 'age of a model could not be checked'));
    },
    isNews: (notice) => sweep.isNews(notice),
    stop: async () => {
      sweep.stop();
      stale.stop();
      inventory?.stop();
      orders?.stop();
      await Promise.all([rolling.stop(), views.stop(), checks?.stop()]);
    },
  };
}

/** What a named host has beside its store. */
function createReporting(deps: MaintenanceDeps): { inventory?: InventoryReporter; orders?: HostOrders } {
  const { config, redis, logger } = deps;
  const { host, labels, reportEveryMs: everyMs } = config;
  if (host === undefined) return {};
  const inventory = new InventoryReporter({ ...deps, labels, readFacts: readHostFacts, everyMs });
  const onOrder = (order: HostOrder, signal: AbortSignal): Promise<void> =>
    order.order === 'verify' ? verifyStore(deps, order, signal) : showModels(deps, order, signal, inventory);
  const orders = new HostOrders({ settings: config.redis, redis, host, onOrder, logger });
  return { inventory, orders };
}

function createStaleWatch(
  { config, redis, store, publish, logger }: MaintenanceDeps,
  answers: VersionAnswers,
): StaleWatch {
  const readFleetAnswers = async (): Promise<ReadonlyMap<string, number> | undefined> => {
    let found: ReadonlyMap<string, number> | undefined;
    const asked = readAnswers(redis, config.redis.prefix).then((map) => (found = map));
    await within(asked, FLEET_ANSWER_MS);
    return found;
  };
  return new StaleWatch({ store, answers, readFleetAnswers, publish, logger, now: Date.now });
}

/** Asks the origins of a model, and publishes their answers to the API and to the other hosts. */
async function check(
  deps: MaintenanceDeps,
  answers: VersionAnswers,
  job: CheckVersionJob,
  signal: AbortSignal,
): Promise<void> {
  const found = await checkVersion(job, deps, signal);
  for (const answer of found) deps.publish(answer);
  const answered = found.filter(({ error }) => error === null);
  if (answered.length > 0) {
    const at = Math.max(...answered.map((answer) => answer.at));
    await answers.learn([[job.model, at]]);
    await tellAnswer(deps.redis, deps.config.redis.prefix, job.model, at);
  }
  await deps.flush(signal);
}

/** Shows the models of an order and answers it; the order is done once the answer is acknowledged. */
async function showModels(
  { store, config, publish, flush, logger }: MaintenanceDeps,
  order: ActivateOrder,
  signal: AbortSignal,
  inventory: InventoryReporter,
): Promise<void> {
  const { commands, commandPath } = config;
  const failure = await activate({ store, commands, commandPath, logger }, order, signal);
  const { errorKind = null, message = null } = failure ?? {};
  if (failure !== undefined) logger.warn({ rollout: order.id, ...failure }, 'versions could not be shown');
  const { id: rollout, requestedAt } = order;
  publish({ type: 'host.activated', at: Date.now(), rollout, requestedAt, errorKind, message });
  inventory.nudge();
  await flush(signal);
}

/** The store quarantines a damaged file and notifies; the next inventory makes the API queue it again. */
async function verifyStore(
  { store, config, logger }: MaintenanceDeps,
  order: VerifyOrder,
  signal: AbortSignal,
): Promise<void> {
  const startedAt = performance.now();
  const pace = pacer(systemClock, config.verifyBytesPerSecond, signal);
  const report = await store.verify({ model: order.model ?? undefined, signal, pace });
  logger.info(
    {
      order: order.id,
      model: order.model,
      files: report.checkedFiles,
      bytes: report.checkedBytes,
      problems: report.problems,
      repairedViews: report.repairedViews.length,
      ms: Math.round(performance.now() - startedAt),
    },
    'store verified on request',
  );
}
