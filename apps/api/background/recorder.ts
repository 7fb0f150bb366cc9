import type { EventBatch } from '#contracts/worker/worker-events';
import { applyEvents } from '#database/history/event-queries';
import { EventReader } from '#queue/events/event-reader';
import type { RedisSettings } from '#queue/connection';
import type { Dependencies } from '../dependencies.ts';
import { stopStragglers } from './stop-stragglers.ts';

export interface RecorderCounts {
  readonly applied: number;
  /** Repeats, late events, illegal moves, unknown downloads, downloads of other hosts, and entries that are not events. */
  readonly dropped: number;
}

export interface Recorder {
  start(): void;
  /** Lets the batches under way finish; safe twice and before start. */
  stop(): Promise<void>;
  counts(): RecorderCounts;
}

type RecorderDeps = Pick<Dependencies, 'database' | 'queues' | 'prefix' | 'changes' | 'now' | 'log'>;

/** All recorders share the entries of the stream. */
export const RECORDER_GROUP = 'recorder';

/**
 * Writes the events of workers into Postgres: one transaction per set of batches, then the acknowledgement. Any
 * number of recorders may share the stream.
 *
 * @param consumer unique for each running process
 */
export function createRecorder(deps: RecorderDeps, redis: RedisSettings, consumer: string): Recorder {
  const counts = { applied: 0, dropped: 0 };
  const reader = new EventReader({
    redis,
    group: RECORDER_GROUP,
    consumer,
    logger: deps.log,
    onBatches: async (batches) => {
      const { applied, dropped } = await recordBatches(deps, batches);
      counts.applied += applied;
      counts.dropped += dropped;
    },
  });
  return {
    start: () => reader.start(),
    stop: () => reader.stop(),
    counts: () => ({ applied: counts.applied, dropped: counts.dropped + reader.counts.poison }),
  };
}

/**
 * Stores the batches and wakes the requests that wait for their downloads. The same batches again change nothing.
 *
 * @throws Error while Postgres is down; nothing is stored then
 */
export async function recordBatches(deps: RecorderDeps, batches: readonly EventBatch[]): Promise<RecorderCounts> {
  const { ignored, moved, newer } = await applyEvents(deps.database, batches, deps.now());
  deps.changes.notify(new Set([...downloadsIn(batches), ...moved]));
  for (const found of newer) deps.log.warn(found, 'a newer version is available; it is not downloaded automatically');
  if (ignored > 0) {
    deps.log.info({ ignored, batches: batches.length }, 'worker events changed nothing and were dropped');
    await stopStragglers(deps, batches);
  }
  const all = batches.reduce((sum, batch) => sum + batch.events.length, 0);
  return { applied: all - ignored, dropped: ignored };
}

function downloadsIn(batches: readonly EventBatch[]): Set<string> {
  const ids = batches.flatMap(({ events }) => events.map((event) => ('downloadId' in event ? event.downloadId : '')));
  return new Set(ids.filter((id) => id !== ''));
}
