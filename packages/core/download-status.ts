/** Where a download stands. `resuming` is `in_progress` from the second attempt on. */
export const DOWNLOAD_STATUSES = [
  'pending',
  'in_progress',
  'resuming',
  'paused',
  'success',
  'failed',
  'cancelled',
] as const;

export type DownloadStatus = (typeof DOWNLOAD_STATUSES)[number];

/**
 * What can happen to a download, and who says so.
 *
 * - `start`       a worker began the first attempt
 * - `restart`     a worker began a later attempt
 * - `interrupt`   a worker put the job back, or it waits for disk space or for a source
 * - `pause`       a person asked to pause
 * - `resume`      a person, or returned disk space, asked to go on: a new budget of attempts
 * - `verify`      a worker published the verified file
 * - `exhaust`     a worker ran out of sources or attempts
 * - `cancel`      a person asked to cancel
 * - `lose`        the published file is gone or corrupt
 */
export const DOWNLOAD_EVENTS = [
  'start',
  'restart',
  'interrupt',
  'pause',
  'resume',
  'verify',
  'exhaust',
  'cancel',
  'lose',
] as const;

export type DownloadEvent = (typeof DOWNLOAD_EVENTS)[number];

const RUNNING = {
  restart: 'resuming',
  interrupt: 'paused',
  pause: 'paused',
  verify: 'success',
  exhaust: 'failed',
  cancel: 'cancelled',
} as const;

const NEXT: Record<DownloadStatus, Partial<Record<DownloadEvent, DownloadStatus>>> = {
  pending: {
    start: 'in_progress',
    restart: 'resuming',
    pause: 'paused',
    verify: 'success',
    exhaust: 'failed',
    cancel: 'cancelled',
  },
  in_progress: RUNNING,
  resuming: RUNNING,
  paused: { restart: 'resuming', resume: 'pending', verify: 'success', exhaust: 'failed', cancel: 'cancelled' },
  success: { lose: 'pending' },
  failed: { resume: 'pending' },
  cancelled: { resume: 'pending' },
};

/** @returns the status after the event, or undefined when the move is illegal. */
export const nextStatus = (status: DownloadStatus, event: DownloadEvent): DownloadStatus | undefined =>
  NEXT[status][event];

/** @returns the statuses in which the event is legal: the `WHERE status IN (…)` of a guarded update. */
export const allowedFrom = (event: DownloadEvent): DownloadStatus[] =>
  DOWNLOAD_STATUSES.filter((status) => NEXT[status][event] !== undefined);

/** True while a job may exist or has to be made for the download. */
export const isOpen = (status: DownloadStatus): boolean => status === 'pending' || isRunning(status);

export const isRunning = (status: DownloadStatus): boolean => status === 'in_progress' || status === 'resuming';

/** True when nothing more happens without a further request. */
export const isFinal = (status: DownloadStatus): boolean =>
  status === 'success' || status === 'failed' || status === 'cancelled';
