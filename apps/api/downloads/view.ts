import { createHash } from 'node:crypto';
import type { Download } from '#contracts/http/downloads';
import { MAX_ATTEMPTS } from '#core/policy';
import { isRunning } from '#core/download-status';
import type { DownloadStatus } from '#core/download-status';
import { formatBytes } from '#core/units';
import type { Dependencies } from '../dependencies.ts';
import type { DownloadRow } from '#database/downloads/download-row';
import { momentOf, momentOrNull } from '../server/requests/moment.ts';

/** What a view depends on beside the row. */
export type ViewDeps = Pick<Dependencies, 'now' | 'hostOfflineAfterMs'>;

/** A row as the API shows it. The same row gives the same answer, and the same `version`, until its host falls silent. */
export function downloadView(row: DownloadRow, { now, hostOfflineAfterMs }: ViewDeps): Download {
  const isSilent = row.hostSeenAt !== null && now().getTime() - row.hostSeenAt.getTime() > hostOfflineAfterMs;
  const shown = {
    id: row.id,
    status: row.status,
    reason: REASON[row.status](row, isSilent),
    message: MESSAGE[row.status](row, isSilent),
    model: row.model === null ? null : { name: row.model, version: row.version },
    file: row.path,
    host: row.shownHost,
    cid: row.cid,
    sha256: row.hash,
    sizeBytes: row.totalBytes,
    ...progressOf(row),
    attempts: row.attempts,
    attemptsLeft: row.status === 'success' ? 0 : Math.max(0, MAX_ATTEMPTS - row.attemptsUsed),
    source: row.source,
    sources: row.sources ?? [],
    outcome: row.outcome,
    verified: row.verified,
    path: row.publishedPath,
    error: row.error,
    createdAt: momentOf(row.createdAt),
    deadlineAt: momentOf(row.deadlineAt),
    retryAt: momentOrNull(row.retryAt),
    startedAt: momentOrNull(row.startedAt),
    lastAttemptAt: momentOrNull(row.lastAttemptAt),
    completedAt: momentOrNull(row.completedAt),
    updatedAt: momentOf(row.updatedAt),
    links: linksOf(row.id),
  };
  return { ...shown, version: versionOf(shown) };
}

/** Short, stable, and different whenever anything that is shown is different. */
const versionOf = (shown: object): string =>
  createHash('sha256').update(JSON.stringify(shown)).digest('base64url').slice(0, 16);

function progressOf(row: DownloadRow): Pick<Download, 'bytes' | 'percent' | 'bytesPerSecond' | 'etaMs'> {
  const bytes = row.downloadedBytes;
  const total = row.totalBytes;
  const rate = isRunning(row.status) ? row.bytesPerSecond : null;
  const left = total === null ? null : Math.max(0, total - bytes);
  return {
    bytes,
    percent: percentOf(row),
    bytesPerSecond: rate,
    etaMs: rate !== null && rate > 0 && left !== null ? Math.round((left / rate) * 1000) : null,
  };
}

/** At most 99.9 until the file is verified. */
function percentOf(row: DownloadRow): number | null {
  if (row.status === 'success') return 100;
  if (row.totalBytes === null || row.totalBytes === 0) return null;
  return Math.min(99.9, Math.floor((row.downloadedBytes / row.totalBytes) * 1000) / 10);
}

type Told = (row: DownloadRow, isHostSilent: boolean) => string;

const runningReason: Told = (_row, isHostSilent) => (isHostSilent ? 'worker_silent' : 'running');

const REASON: Record<DownloadStatus, Told> = {
  pending: waitingReason,
  in_progress: runningReason,
  resuming: runningReason,
  paused: (row) => row.pauseReason ?? 'requested',
  success: (row) => (row.outcome === 'cache_hit' ? 'cache_hit' : row.verified === false ? 'unverified' : 'verified'),
  failed: (row) => row.errorKind ?? 'failed',
  cancelled: () => 'cancelled',
};

const runningSentence: Told = (row, isHostSilent) => {
  if (isHostSilent) return `the worker of ${row.host} has it, and was last heard of at ${momentOf(row.hostSeenAt!)}`;
  return row.reason ?? (row.source === null ? 'a worker has it' : `it comes from ${row.source}`);
};

const MESSAGE: Record<DownloadStatus, Told> = {
  pending: waitingSentence,
  in_progress: runningSentence,
  resuming: runningSentence,
  paused: (row) => row.reason ?? 'it is paused and goes on where it stopped when it is resumed',
  success: (row) => successSentence(row),
  failed: (row) => row.error ?? row.reason ?? 'it failed; the tries say why',
  cancelled: (row) => row.reason ?? 'it was cancelled',
};

const isUnqueued = (row: DownloadRow): boolean => row.enqueuedGeneration < row.generation;

type WaitingReason = 'repair_waits' | 'not_queued_yet' | 'queued' | 'host_unknown' | 'host_offline';

function waitingReason(row: DownloadRow, isHostSilent: boolean): WaitingReason {
  if (row.repairWaits) return 'repair_waits';
  if (isUnqueued(row)) return 'not_queued_yet';
  if (row.host === null) return 'queued';
  return row.hostSeenAt === null ? 'host_unknown' : isHostSilent ? 'host_offline' : 'queued';
}

const WAITING: Record<WaitingReason, (row: DownloadRow) => string> = {
  repair_waits: () => 'its repair waits until fewer hosts of the site are being repaired, or until it is asked for',
  not_queued_yet: () => 'it is written down and will be queued in a moment',
  queued: (row) =>
    row.host === null ? 'it waits for a worker of the pool' : `it waits for the worker of ${row.shownHost}`,
  host_unknown: ({ host }) =>
    `no worker of ${host} has reported yet: check the name, or start one with HAULIER_HOST=${host}`,
  host_offline: (row) => `it waits for the worker of ${row.shownHost}, last heard of at ${momentOf(row.hostSeenAt!)}`,
};

/** Why it is to be done, where that is not the request, and what it waits for. */
function waitingSentence(row: DownloadRow, isHostSilent: boolean): string {
  const reason = waitingReason(row, isHostSilent);
  const waits = WAITING[reason](row);
  if (row.reason === null) return waits;
  return reason === 'queued' || reason === 'not_queued_yet' ? row.reason : `${row.reason}; ${waits}`;
}

function successSentence(row: DownloadRow): string {
  const size = formatBytes(row.totalBytes ?? row.downloadedBytes);
  if (row.verified === false) return `${size} are there; nothing proved them, and the request allowed that`;
  return row.outcome === 'cache_hit' ? `${size} were there already and are verified` : `${size} are there and verified`;
}

const linksOf = (id: string): Download['links'] => ({
  self: `/api/downloads/${id}`,
  resume: `/api/downloads/${id}/resume`,
  pause: `/api/downloads/${id}/pause`,
  cancel: `/api/downloads/${id}/cancel`,
});
