import type { NoticeAdded } from '#contracts/http/events';
import type { EventBatch } from '#contracts/worker/worker-events';
import { addRefusedEvents } from '#database/access/refused-events';
import type { RefusedBatch } from '#database/access/refused-events';
import type { BatchProofs } from '#database/history/batch-proofs';
import { applyEvents, type AppliedEvents, type ProgressStep } from '#database/history/event-queries';
import { EventReader } from '#queue/events/event-reader';
import type { ReceivedBatch } from '#queue/events/event-stream';
import type { RedisSettings } from '#queue/connection';
import type { Dependencies } from '../dependencies.ts';
import { momentOf } from '../server/requests/moment.ts';
import { recordLocalWrite } from '../access/audit/audit-writes.ts';
import { believeBatches } from './believe-batches.ts';
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

type RecorderDeps = Pick<
  Dependencies,
  'database' | 'queues' | 'prefix' | 'changes' | 'live' | 'metrics' | 'now' | 'log'
>;
type ReceiverDeps = RecorderDeps & Pick<Dependencies, 'enrolment'>;

/** All recorders share the entries of the stream. */
export const RECORDER_GROUP = 'recorder';

/**
 * Writes the events of workers into Postgres: one transaction per set of batches, then the acknowledgement. Any
 * number of recorders may share the stream.
 *
 * @param consumer unique for each running process
 */
export function createRecorder(deps: ReceiverDeps, redis: RedisSettings, consumer: string): Recorder {
  const counts = { applied: 0, dropped: 0 };
  const reader = new EventReader({
    redis,
    group: RECORDER_GROUP,
    consumer,
    logger: deps.log,
    onBatches: async (received) => {
      const { applied, dropped } = await recordReceived(deps, received);
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
 * Stores the batches that come from the host they name. The others are dropped, counted and remembered.
 *
 * @throws Error while Postgres is down
 */
export async function recordReceived(deps: ReceiverDeps, received: readonly ReceivedBatch[]): Promise<RecorderCounts> {
  const { database, enrolment, now, log } = deps;
  const believed = await believeBatches(database, received, enrolment);
  const { applied, dropped, refused } = await recordBatches(deps, believed.batches, believed.proofs);
  const all = [...believed.refused, ...refused];
  for (const { host, reason, detail } of await addRefusedEvents(database, all, now())) {
    const write = { actor: 'recorder', action: 'refuseEvents', target: `hosts/${host}`, after: { reason, detail } };
    await recordLocalWrite(database, { ...write, now: now() });
  }
  for (const reason of new Set(all.map((one) => one.reason))) {
    const some = all.filter((one) => one.reason === reason);
    log.warn({ reason, batches: some.length, first: some[0] }, 'events were not believed and were dropped');
  }
  return { applied, dropped: dropped + believed.refused.reduce((sum, { events }) => sum + events, 0) };
}

/**
 * Stores the batches and wakes the requests that wait for their downloads. The same batches again change nothing.
 *
 * @param proofs of the batches that are signed
 * @throws Error while Postgres is down; nothing is stored then
 */
export async function recordBatches(
  deps: RecorderDeps,
  batches: readonly EventBatch[],
  proofs?: BatchProofs,
): Promise<RecorderCounts & { readonly refused: readonly RefusedBatch[] }> {
  const applied = await applyEvents(deps.database, batches, deps.now(), proofs);
  const { ignored, newer, refused } = applied;
  tellApplied(deps, batches, applied);
  measure(deps.metrics, applied);
  for (const found of newer) deps.log.warn(found, 'a newer version is available; it is not downloaded automatically');
  if (ignored > 0) {
    deps.log.info({ ignored, batches: batches.length }, 'worker events changed nothing and were dropped');
    await stopStragglers(deps, batches);
  }
  const all = batches.reduce((sum, batch) => sum + batch.events.length, 0);
  return { applied: all - ignored, dropped: ignored, refused };
}

/** Requests of this process that wait for a download are woken by its tries too. */
function tellApplied({ changes, live }: RecorderDeps, batches: readonly EventBatch[], applied: AppliedEvents): void {
  const { moved, positions, hosts, notices } = applied;
  changes.heard(downloadsIn(batches));
  changes.notify(moved);
  changes.notify(hosts, 'hosts');
  live.tellPositions(positions.map(positionOf));
  if (notices.length > 0) changes.tell({ notices: notices.map(noticeOf) });
}

const positionOf = ({ downloadId, committedBytes, totalBytes, bytesPerSecond, source, retries }: ProgressStep) => ({
  ...{ id: downloadId, bytes: committedBytes, total: totalBytes, speed: bytesPerSecond, gateway: source, retries },
});

const noticeOf = ({ at, host, notice, model, path, message }: AppliedEvents['notices'][number]): NoticeAdded => ({
  ...{ type: 'notice.added', at: momentOf(new Date(at)), host, notice, model, path, message },
});

function measure(metrics: RecorderDeps['metrics'], { tries, ends }: AppliedEvents): void {
  tries.forEach((one, place) => {
    metrics.tried(one);
    const before = tries[place - 1];
    if (before?.downloadId === one.downloadId && before.attempt === one.attempt && before.layer !== one.layer)
      metrics.fellBack(before.layer, one.layer, before.errorKind);
  });
  for (const end of ends) metrics.downloadEnded(end);
}

function downloadsIn(batches: readonly EventBatch[]): Set<string> {
  const ids = batches.flatMap(({ events }) => events.map((event) => ('downloadId' in event ? event.downloadId : '')));
  return new Set(ids.filter((id) => id !== ''));
}
