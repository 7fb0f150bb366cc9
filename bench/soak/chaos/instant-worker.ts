import { createHash, randomUUID } from 'node:crypto';
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { DownloadJob } from '#contracts/worker/download-job';
import { silentLogger } from '#core/logger';
import { connectPatiently, disconnect, type RedisClient } from '#queue/connection';
import { EventPublisher } from '#queue/events/event-publisher';
import type { HandlerResult } from '#queue/jobs/download-handler';
import { JobConsumer } from '#queue/jobs/job-consumer';
import { lineOf, type InstantWorkerOrder } from './instant-worker-order.ts';

/**
 * Workers of many hosts in one process, with the queue of a real worker and without its transfers: a job takes a moment, and the
 * file is there. What begins and what is published is appended to files that outlive the process.
 */
const order = JSON.parse(process.argv[2] ?? '{}') as InstantWorkerOrder;
const redis = connectPatiently({ url: order.redisUrl, prefix: order.prefix }, 'instant-worker', silentLogger);
const consumers = await Promise.all(order.hosts.map((host) => serve(host, redis)));
process.once('SIGTERM', () => void stop());
process.once('disconnect', () => void stop());

async function serve(host: string, shared: RedisClient): Promise<JobConsumer> {
  const bootId = randomUUID();
  const publisher = new EventPublisher({ redis: shared, prefix: order.prefix, host, bootId, logger: silentLogger });
  const published = join(order.folder, `${host}.published`);
  const started = join(order.folder, `${host}.started`);
  const present = new Set(
    existsSync(published)
      ? readFileSync(published, 'utf8')
          .split('\n')
          .map((line) => line.trimEnd())
      : [],
  );
  const consumer = new JobConsumer({
    ...{ redis: shared, prefix: order.prefix, identity: { workerId: workerIdOf(host), bootId }, host, pool: false },
    ...{ concurrency: 2, logger: silentLogger, onUnhandledFailure: (jobId, error) => complain(host, jobId, error) },
    handler: async (job, { attempt, signal }): Promise<HandlerResult> => {
      const { downloadId, generation } = job;
      const of = { downloadId, generation };
      const line = lineOf(job.file.path);
      appendFileSync(started, line);
      publisher.publish({ ...of, type: 'download.started', at: Date.now(), attempt, resumedBytes: 0 });
      await pause(Math.random() * order.longestMs, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return { do: 'put-back', reason: String(signal.reason) };
      const isThere = present.has(line.trimEnd());
      if (!isThere) appendFileSync(published, line);
      present.add(line.trimEnd());
      publisher.publish(finished(job, isThere));
      await publisher.flush();
      return { do: 'done' };
    },
  });
  await consumer.start();
  return consumer;
}

/** Its disk keeps this name over its boots. */
function workerIdOf(host: string): string {
  return createHash('sha256').update(host).digest('hex').slice(0, 32);
}

function finished({ downloadId, generation, file }: DownloadJob, isThere: boolean) {
  return {
    ...{ type: 'download.finished' as const, downloadId, generation, at: Date.now() },
    outcome: isThere ? ('cache_hit' as const) : ('secondary_success' as const),
    ...{ sizeBytes: file.sizeBytes ?? 0, sha256: file.digests.sha256 ?? '', cid: file.cid ?? null, verified: true },
    ...{ path: `/models/${file.path}`, durationMs: 1, resumedBytes: 0, wastedBytes: 0, sources: [] },
  };
}

/** The parent keeps what this process writes. */
function complain(host: string, jobId: string, error: Error): void {
  process.stderr.write(`${host} ${jobId}: ${error.message}\n`);
}

async function stop(): Promise<void> {
  await Promise.all(consumers.map((consumer) => consumer.stop()));
  disconnect(redis);
  process.exit(0);
}
