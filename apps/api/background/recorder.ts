import { SECOND_MS } from '#core/units';
import type { NoticeAdded } from '#contracts/http/events';
import type { EventBatch } from '#contracts/worker/worker-events';
import { addRefusedEvents } from '#database/access/refused-events';
import type { RefusedBatch } from '#database/access/refused-events';
import type { BatchProofs } from '#database/history/batch-proofs';
import { applyEvents, type AppliedEvents, type ProgressStep } from '#database/history/event-queries';
import { writePositions } from '#database/history/position-queries';
import { EventReader } from '#queue/events/event-reader';
import type { ReceivedBatch } from '#queue/events/event-stream';
import type { RedisSettings } from '#queue/connection';
import type { Dependencies } from '../dependencies.ts';
import { momentOf } from '../server/requests/moment.ts';
import { recordLocalWrite } from '../access/audit/audit-writes.ts';
import { believeBatches, keysOfBatches } from './believe-batches.ts';
import { GatheredPositions } from './gathered-positions.ts';
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

/** How long positions of running downloads are gathered before they are written; milliseconds. */
const POSITIONS_EVERY_MS = 5 * SECOND_MS;

/**
 * Writes the events of workers into Postgres: one transaction per set of batches, then the acknowledgement. Positions of downloads that go on are
 * told to the clients of live events at once, and written together every 5 s. Any number of recorders may share the stream.
 *
 * @param consumer unique for each running process
 * @param positionsEveryMs 5 s by default
 */
export function createRecorder(
  deps: ReceiverDeps,
  redis: RedisSettings,
  consumer: string,
  positionsEveryMs = POSITIONS_EVERY_MS,
): Recorder {
  const counts = { applied: 0, dropped: 0 };
  const gathered = new GatheredPositions();
  let timer: NodeJS.Timeout | undefined;
  let writing: Promise<void> = Promise.resolve();
  const add = ({ applied, dropped }: RecorderCounts): void => {
    counts.applied += applied;
    counts.dropped += dropped;
  };
  const write = (): void => {
    timer = undefined;
    writing = recordPositions(deps, gathered).then(add, (err: unknown) => {
      gathered.forget();
      deps.log.warn({ err }, 'positions of downloads were not written; their workers report them again');
    });
  };
  const reader = new EventReader({
    redis,
    group: RECORDER_GROUP,
    consumer,
    logger: deps.log,
    onBatches: async (received) => {
      const others = holdRepeats(deps, gathered, received);
      timer ??= setTimeout(write, positionsEveryMs);
      if (others.length > 0) add(await recordReceived(deps, others, gathered));
    },
  });
  return {
    start: () => reader.start(),
    stop: async () => {
      await reader.stop();
      clearTimeout(timer);
      await writing;
      write();
      await writing;
    },
    counts: () => ({ applied: counts.applied, dropped: counts.dropped + reader.counts.poison }),
  };
}

/** Tells the positions of batches that say nothing else. @returns the other batches */
function holdRepeats(
  { live, enrolment }: ReceiverDeps,
  gathered: GatheredPositions,
  received: readonly ReceivedBatch[],
): ReceivedBatch[] {
  const repeats = received.filter((one) => gathered.isRepeat(one));
  const believed = new Set(believeBatches(repeats, gathered.keys, enrolment).batches);
  const held = repeats.filter(({ batch }) => believed.has(batch));
  live.tellPositions(held.flatMap((one) => gathered.hold(one)).map(positionOf));
  return received.filter(({ batch }) => !believed.has(batch));
}

/** Writes what is held. @throws Error while Postgres is down; what was held is lost then */
async function recordPositions(deps: ReceiverDeps, gathered: GatheredPositions): Promise<RecorderCounts> {
  const { database, enrolment, now } = deps;
  const held = gathered.take();
  if (held.length === 0) {
    gathered.forget();
    return { applied: 0, dropped: 0 };
  }
  const keys = await keysOfBatches(database, held);
  const believed = believeBatches(held, keys, enrolment);
  const { running, ignored, refused } = await writePositions(database, believed.batches, now(), believed.proofs);
  gathered.settle(running, keys);
  await noteRefused(deps, [...believed.refused, ...refused]);
  const events = believed.batches.reduce((sum, batch) => sum + batch.events.length, 0);
  return { applied: events - ignored, dropped: ignored + eventsOf(believed.refused) };
}

/**
 * Stores the batches that come from the host they name. The others are dropped, counted and remembered.
 *
 * @param gathered learns which downloads run
 * @throws Error while Postgres is down
 */
export async function recordReceived(
  deps: ReceiverDeps,
  received: readonly ReceivedBatch[],
  gathered?: GatheredPositions,
): Promise<RecorderCounts> {
  const keys = await keysOfBatches(deps.database, received);
  const believed = believeBatches(received, keys, deps.enrolment);
  const recorded = await recordBatches(deps, believed.batches, believed.proofs);
  gathered?.learn(recorded.positions, recorded.moved, keys);
  await noteRefused(deps, [...believed.refused, ...recorded.refused]);
  return { applied: recorded.applied, dropped: recorded.dropped + eventsOf(believed.refused) };
}

const eventsOf = (refused: readonly RefusedBatch[]): number => refused.reduce((sum, { events }) => sum + events, 0);

async function noteRefused({ database, now, log }: ReceiverDeps, all: readonly RefusedBatch[]): Promise<void> {
  for (const { host, reason, detail } of await addRefusedEvents(database, all, now())) {
    const write = { actor: 'recorder', action: 'refuseEvents', target: `hosts/${host}`, after: { reason, detail } };
    await recordLocalWrite(database, { ...write, now: now() });
  }
  for (const reason of new Set(all.map((one) => one.reason))) {
    const some = all.filter((one) => one.reason === reason);
    log.warn({ reason, batches: some.length, first: some[0] }, 'events were not believed and were dropped');
  }
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
): Promise<RecorderCounts & Pick<AppliedEvents, 'moved' | 'positions' | 'refused'>> {
  const applied = await applyEvents(deps.database, batches, deps.now(), proofs);
  const { ignored, newer, refused, moved, positions } = applied;
  tellApplied(deps, batches, applied);
  measure(deps.metrics, applied);
  for (const found of newer) deps.log.warn(found, 'a newer version is available; it is not downloaded automatically');
  if (ignored > 0) {
    deps.log.info({ ignored, batches: batches.length }, 'worker events changed nothing and were dropped');
    await stopStragglers(deps, batches);
  }
  const all = batches.reduce((sum, batch) => sum + batch.events.length, 0);
  return { applied: all - ignored, dropped: ignored, moved, positions, refused };
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
