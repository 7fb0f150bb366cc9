import type { WorkerEvent } from '#contracts/worker-events';
import type { Logger } from '#core/logger';
import { checkRedis } from '#queue/check-redis';
import { CommandListener } from '#queue/commands';
import { connectPatiently, disconnect } from '#queue/connection';
import type { DownloadHandler } from '#queue/download-handler';
import { EventPublisher } from '#queue/event-publisher';
import { JobConsumer } from '#queue/job-consumer';
import type { WorkerConfig } from './config.ts';
import type { DownloadHandlerDeps } from './handlers/download-file.ts';
import { ProgressReporter } from './progress-reporter.ts';
import { RunningDownloads } from './running-downloads.ts';
import { unhandledFailureEvent } from './unhandled-failure.ts';
import type { HeldIdentity } from './worker-identity.ts';

export interface Worker {
  /** Resolves once jobs are taken; waits for Redis. */
  start(): Promise<void>;
  /** Puts the jobs back and delivers what is left to say; within two seconds. Safe twice and before start. */
  stop(): Promise<void>;
}

/** Wires the parts of a worker; starts nothing. */
export function createWorker(
  config: WorkerConfig,
  identity: HeldIdentity,
  createHandler: (deps: DownloadHandlerDeps) => DownloadHandler,
  logger: Logger,
): Worker {
  const { host, pool, concurrency } = config;
  const { prefix } = config.redis;
  const redis = connectPatiently(config.redis, 'worker', logger);
  const publisher = new EventPublisher({ redis, prefix, host: host ?? null, bootId: identity.bootId, logger });
  const publish = publisher.publish.bind(publisher);
  const flush = publisher.flush.bind(publisher);
  const downloads = new RunningDownloads(Date.now);
  const onCommand = downloads.obey.bind(downloads);
  const commands = new CommandListener({ settings: config.redis, redis, host, pool, onCommand, logger });
  const reporter = new ProgressReporter({ downloads, publish, recallCommands: commands.recall.bind(commands), logger });
  const handler = createHandler({ config, downloads, publish, flush, logger });
  const onUnhandledFailure = tellUnhandledFailure(publish);
  const parts = { redis, prefix, identity, host, pool, concurrency, handler, onUnhandledFailure, logger };
  const consumer = new JobConsumer(parts);
  let stopped = false;
  const start = async (): Promise<void> => {
    commands.start();
    const { warnings } = await checkRedis(redis);
    for (const warning of warnings) logger.warn({ warning }, 'redis is not set up for production');
    reporter.start();
    await consumer.start();
  };
  return {
    start: () =>
      start().catch((error: unknown) => {
        if (!stopped) throw error;
      }),
    async stop() {
      stopped = true;
      await consumer.stop();
      reporter.stop();
      commands.stop();
      await publisher.stop();
      disconnect(redis);
      await identity.release();
    },
  };
}

const tellUnhandledFailure =
  (publish: (event: WorkerEvent) => void) =>
  (jobId: string, error: Error): void => {
    const event = unhandledFailureEvent(jobId, error, Date.now());
    if (event !== undefined) publish(event);
  };
