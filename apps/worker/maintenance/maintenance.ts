import type { CheckVersionJob } from '#contracts/check-version-job';
import type { HostOrder, WorkerEvent } from '#contracts/worker-events';
import type { Logger } from '#core/logger';
import type { Http } from '#http/pool';
import type { RedisClient } from '#queue/connection';
import { HostOrders } from '#queue/host-orders';
import { MaintenanceConsumer } from '#queue/maintenance-consumer';
import { systemClock } from '#store/clock';
import type { StoreNotice } from '#store/context';
import type { Store } from '#store/open-store';
import { pacer } from '#store/rolling-verify';
import type { WorkerConfig } from '../config.ts';
import type { HeldIdentity } from '../worker-identity.ts';
import { checkVersion } from './check-version.ts';
import { InventoryReporter } from './inventory-reporter.ts';
import { StoreSweep } from './store-sweep.ts';

export interface MaintenanceDeps {
  readonly config: WorkerConfig;
  readonly identity: HeldIdentity;
  readonly redis: RedisClient;
  readonly store: Store;
  readonly http: Http;
  readonly publish: (event: WorkerEvent) => void;
  readonly flush: (signal?: AbortSignal) => Promise<void>;
  readonly workerVersion: string;
  readonly logger: Logger;
}

/** What a worker does beside its downloads. */
export interface Maintenance {
  start(): void;
  /** A file came or went. */
  storeChanged(): void;
  /** Whether what the store notices is worth telling. */
  isNews(notice: StoreNotice): boolean;
  /** Safe twice and before start. */
  stop(): Promise<void>;
}

/** Keeps the store sound and tells what it has. Only a named host has an inventory and takes orders. */
export function createMaintenance(deps: MaintenanceDeps): Maintenance {
  const { config, identity, redis, store, logger } = deps;
  const { host } = config;
  const inventory = host === undefined ? undefined : new InventoryReporter(deps);
  const onOrder = (order: HostOrder, signal: AbortSignal): Promise<void> => verifyStore(deps, order, signal);
  const orders =
    host === undefined ? undefined : new HostOrders({ settings: config.redis, redis, host, onOrder, logger });
  const rolling = store.rollingVerify();
  const sweep = new StoreSweep({ store, config, onSwept: () => inventory?.nudge(), logger });
  const onCheck = async (job: CheckVersionJob, signal: AbortSignal): Promise<void> => {
    for (const answer of await checkVersion(job, deps, signal)) deps.publish(answer);
    await deps.flush(signal);
  };
  const checks = new MaintenanceConsumer({ redis, prefix: config.redis.prefix, identity, onCheck, logger });
  return {
    start: () => {
      inventory?.start();
      orders?.start();
      rolling.start();
      checks.start();
      sweep.start();
    },
    storeChanged: () => inventory?.nudge(),
    isNews: (notice) => sweep.isNews(notice),
    stop: async () => {
      sweep.stop();
      inventory?.stop();
      orders?.stop();
      await Promise.all([rolling.stop(), checks.stop()]);
    },
  };
}

/** What is wrong is quarantined by the store, which tells; the inventory then makes it wanted again. */
async function verifyStore(
  { store, config, logger }: MaintenanceDeps,
  order: HostOrder,
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
