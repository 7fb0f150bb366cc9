import { downloadJob } from '#contracts/worker/download-job';
import type { DownloadJob } from '#contracts/worker/download-job';
import { SECOND_MS } from '#core/units';
import { cancelDownload } from '#database/downloads/download-actions';
import { markEnqueued, unqueuedDownloads } from '#database/downloads/outbox-queries';
import type { OutboxRow } from '#database/downloads/outbox-queries';
import type { AddressedJob, RefusedJob } from '#queue/jobs/download-queue';
import { stopReplaced } from '../downloads/stop-job.ts';
import type { Dependencies } from '../dependencies.ts';
import { createLoop } from './loop.ts';
import type { Loop } from './loop.ts';

type RelayDeps = Pick<Dependencies, 'database' | 'queues' | 'prefix' | 'changes' | 'now' | 'log'>;

const BATCH = 500;
const EVERY_MS = SECOND_MS;

/**
 * Makes jobs of rows. The rows are the outbox: the relay finds those that were written while Redis was down, or by a process
 * that died before it could add the job.
 *
 * @param onQueued told every host that got a job; null is the pool
 */
export const createRelay = (deps: RelayDeps, onQueued: (host: string | null) => void): Loop =>
  createLoop({ name: 'relay', everyMs: EVERY_MS, log: deps.log, round: () => relayBatch(deps, onQueued) });

/**
 * Adds one batch of jobs and then marks their rows. No lock is held in between: a crash there adds the same ids
 * again, which Redis ignores, and so do several relays at once.
 *
 * @returns true when there may be more
 * @throws Error while Postgres or Redis is down; nothing is marked then
 */
export async function relayBatch(deps: RelayDeps, onQueued?: (host: string | null) => void): Promise<boolean> {
  const rows = await unqueuedDownloads(deps.database, BATCH);
  if (rows.length === 0) return false;
  const { refused } = await deps.queues.addAll(rows.map(toAddressedJob));
  const refusedIds = new Set(refused.map(({ id }) => id));
  const added = rows.filter((row) => !refusedIds.has(jobIdOf(row)));
  await markEnqueued(deps.database, added, deps.now());
  await endRefused(deps, rows, refused);
  deps.changes.notify(rows.map(({ id }) => id));
  if (onQueued !== undefined) for (const host of new Set(added.map((row) => row.host))) onQueued(host);
  deps.log.debug({ added: added.length, refused: refused.length }, 'jobs added');
  return rows.length === BATCH;
}

/** A job that Redis can never take is cancelled; otherwise the relay would find its row in every round. */
async function endRefused(deps: RelayDeps, rows: readonly OutboxRow[], refused: readonly RefusedJob[]): Promise<void> {
  for (const { id, reason } of refused) {
    const row = rows.find((one) => jobIdOf(one) === id);
    if (row === undefined) continue;
    deps.log.error({ downloadId: row.id, reason }, 'job refused');
    const cancelled = await cancelDownload(deps.database, row.id, deps.now(), reason);
    if (cancelled.done) await stopReplaced(deps, cancelled.replaced);
  }
}

const jobIdOf = (row: OutboxRow): string => downloadJob.id({ downloadId: row.id, generation: row.generation });

const toAddressedJob = (row: OutboxRow): AddressedJob => ({ host: row.host, job: toJob(row) });

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
    ...(row.limitBytesPerSecond === null ? {} : { limitBytesPerSecond: row.limitBytesPerSecond }),
  };
}

const modelOf = (row: OutboxRow, name: string, version: string): NonNullable<DownloadJob['model']> => ({
  name,
  type: row.modelType ?? 'model',
  version,
  ...(row.versionCid === null ? {} : { cid: row.versionCid }),
  ...(row.fileCount > 0 ? { fileCount: row.fileCount } : {}),
  ...(row.checkedAt === null ? {} : { checkedAt: row.checkedAt.getTime() }),
});
