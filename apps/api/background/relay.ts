import { downloadJob } from '#contracts/worker/download-job';
import type { DownloadJob } from '#contracts/worker/download-job';
import { SECOND_MS } from '#core/units';
import { cancelDownload } from '#database/downloads/download-actions';
import { markEnqueued, unqueuedDownloads } from '#database/downloads/outbox-queries';
import type { OutboxRow } from '#database/downloads/outbox-queries';
import type { AddressedJob, RefusedJob } from '#queue/jobs/download-queue';
import type { Span } from '#tracing/tracing';
import { stopReplaced } from '../downloads/stop-job.ts';
import type { Dependencies } from '../dependencies.ts';
import { checkEpoch } from './check-epoch.ts';
import { createLoop } from './loop.ts';
import type { Loop } from './loop.ts';

type RelayDeps = Pick<Dependencies, 'database' | 'queues' | 'prefix' | 'changes' | 'tracing' | 'now' | 'log'>;

/** Redis runs a batch as one transaction, so other commands wait for it: some 50 ms. */
const BATCH = 1000;
const EVERY_MS = SECOND_MS;

/**
 * Makes jobs of rows. The rows are the outbox: the relay finds those that were written while Redis was down, or by a process
 * that died before it could add the job. It begins when Redis is known to be the one that jobs were added to before: jobs that it
 * added first would be taken for lost ones, and added once more.
 */
export function createRelay(deps: RelayDeps): Loop {
  let isQueueKnown = false;
  const loop = createLoop({
    name: 'relay',
    everyMs: EVERY_MS,
    log: deps.log,
    round: async (signal) => {
      isQueueKnown ||= await checkEpoch({ ...deps, nudgeRelay: () => loop.nudge() });
      if (isQueueKnown) await relayAll(deps, { signal });
      return false;
    },
  });
  return loop;
}

export interface RelayOptions {
  /** Ends the work after the batch under way. */
  readonly signal?: AbortSignal | undefined;
  /** Rows that become jobs in one step; default 1,000. */
  readonly batch?: number | undefined;
}

/**
 * Adds the jobs of all rows that have none, batch by batch. While Redis takes one batch, Postgres gives the next and marks the
 * one before. A batch is marked only after Redis has it, and no lock is held in between: a crash there adds the same ids again,
 * which Redis ignores, and so do several relays at once. Rows of
 * a shard that is away wait until it is back.
 *
 * @returns how many rows were found
 * @throws Error while Postgres or Redis is down; a batch that Redis did not take is not marked
 */
export async function relayAll(deps: RelayDeps, options: RelayOptions = {}): Promise<number> {
  const { signal, batch = BATCH } = options;
  let count = 0;
  let added: readonly OutboxRow[] = [];
  const unqueued = (inFlight: readonly string[] = []): Promise<OutboxRow[]> =>
    unqueuedDownloads(deps.database, batch, inFlight, deps.queues.shards.away());
  let rows = await unqueued();
  while (rows.length > 0 && signal?.aborted !== true) {
    const inFlight = [...added, ...rows].map(({ id }) => id);
    const isLast = rows.length < batch;
    const [taken, next] = await Promise.all([addJobs(deps, rows), isLast ? [] : unqueued(inFlight), mark(deps, added)]);
    count += rows.length;
    added = taken;
    rows = next;
  }
  await mark(deps, added);
  return count;
}

/** @returns the rows whose jobs Redis has now */
async function addJobs(deps: RelayDeps, rows: readonly OutboxRow[]): Promise<readonly OutboxRow[]> {
  const { jobs, end } = traced(deps, rows);
  const { added, refused, delayed } = await deps.queues.addAll(jobs).finally(end);
  deps.log.debug({ added: added.length, refused: refused.length, delayed: delayed.length }, 'jobs added');
  if (added.length === rows.length) return rows;
  await endRefused(deps, rows, refused);
  const addedIds = new Set(added);
  return rows.filter((row) => addedIds.has(jobIdOf(row)));
}

async function mark({ database, changes, now }: RelayDeps, rows: readonly OutboxRow[]): Promise<void> {
  if (rows.length === 0) return;
  await markEnqueued(database, rows, now());
  changes.notify(rows.map(({ id }) => id));
}

/** A job that Redis can never take is cancelled; otherwise the relay would find its row in every round. */
async function endRefused(deps: RelayDeps, rows: readonly OutboxRow[], refused: readonly RefusedJob[]): Promise<void> {
  for (const { id, reason } of refused) {
    const row = rows.find((one) => jobIdOf(one) === id);
    if (row === undefined) continue;
    deps.log.error({ downloadId: row.id, reason }, 'job refused');
    const cancelled = await cancelDownload(deps.database, row.id, deps.now(), { reason });
    if (cancelled.done) await stopReplaced(deps, cancelled.replaced);
    deps.changes.notify([row.id]);
  }
}

const jobIdOf = (row: OutboxRow): string => downloadJob.id({ downloadId: row.id, generation: row.generation });

/** The jobs of rows, each with the span that queues it, where its request is traced. */
function traced({ tracing }: RelayDeps, rows: readonly OutboxRow[]): { jobs: AddressedJob[]; end: () => void } {
  const spans: Span[] = [];
  const jobs = rows.map((row) => {
    const { traceparent: parent, id, host } = row;
    const facts = { 'messaging.system': 'bullmq', 'haulier.download_id': id, 'haulier.host': host ?? 'pool' };
    const span = parent === null ? undefined : tracing.begin('queue download', { kind: 'producer', parent, facts });
    if (span !== undefined) spans.push(span);
    return { host, job: toJob(span === undefined ? row : { ...row, traceparent: span.traceparent }) };
  });
  return { jobs, end: () => spans.forEach((span) => span.end()) };
}

/** The payload of a download's job. */
export function toJob(row: OutboxRow): DownloadJob {
  return {
    version: 1,
    downloadId: row.id,
    generation: row.generation,
    attemptsUsed: row.attemptsBefore,
    deadlineAt: row.deadlineAt.getTime(),
    file: row.file,
    ...(row.model !== null && row.version !== null ? { model: modelOf(row, row.model, row.version) } : {}),
    ...(row.layers === null ? {} : { layers: row.layers }),
    ...(row.strategy === null ? {} : { strategy: row.strategy }),
    ...(row.priority === null ? {} : { priority: row.priority }),
    ...(row.traceparent === null ? {} : { traceparent: row.traceparent }),
    ...(row.limitBytesPerSecond === null ? {} : { limitBytesPerSecond: row.limitBytesPerSecond }),
  };
}

const modelOf = (row: OutboxRow, name: string, version: string): NonNullable<DownloadJob['model']> => ({
  name,
  type: row.modelType ?? 'model',
  version,
  ...(row.versionCid === null ? {} : { cid: row.versionCid }),
  ...(row.fileCount > 0 ? { fileCount: row.fileCount } : {}),
  ...(row.isHeld ? { held: true } : {}),
  ...(row.checkedAt === null ? {} : { checkedAt: row.checkedAt.getTime() }),
});
