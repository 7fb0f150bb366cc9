import { randomUUID } from 'node:crypto';
import type { EventBatch, WorkerEvent } from '#contracts/worker/worker-events';
import { silentLogger } from '#core/logger';
import { EventPublisher } from '#queue/events/event-publisher';
import type { TestRedis } from '../../../helpers/redis.ts';

export const started = (downloadId: string = randomUUID()): WorkerEvent => ({
  type: 'download.started',
  downloadId,
  generation: 1,
  at: 1,
  attempt: 1,
  resumedBytes: 0,
});

export const progress = (downloadId: string, committedBytes: number): WorkerEvent => ({
  type: 'download.progress',
  downloadId,
  generation: 1,
  at: 1,
  committedBytes,
  totalBytes: null,
  bytesPerSecond: 0,
  source: null,
  retries: 0,
});

export const eventsOf = (batches: readonly EventBatch[]): WorkerEvent[] => batches.flatMap((batch) => batch.events);

export const BOOT_ID = randomUUID();

export function makePublisher({ redis, settings }: Pick<TestRedis, 'redis' | 'settings'>): EventPublisher {
  return new EventPublisher({ redis, prefix: settings.prefix, host: 'gpu-1', bootId: BOOT_ID, logger: silentLogger });
}
