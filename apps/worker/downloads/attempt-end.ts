import type { DownloadJob } from '#contracts/worker/download-job';
import type { WorkerEvent } from '#contracts/worker/worker-events';
import { ExhaustedError, StorageError, VerifyError } from '#core/failure';
import { isOutage, sourceWaitMs } from '#core/policy';
import { SECOND_MS } from '#core/units';
import type { AttemptContext, HandlerResult } from '#queue/jobs/download-handler';
import type { StopCause } from './running-downloads.ts';

/** What is known of an attempt that did not publish its file. */
export interface FailedAttempt {
  readonly job: DownloadJob;
  readonly context: Pick<AttemptContext, 'lastAttempt' | 'sourceWaitsInARow'>;
  /** The cause of the stop, when this worker stopped the attempt itself. */
  readonly stopCause: StopCause | undefined;
  readonly committedBytes: number;
  /** Any byte arrived, right or wrong. */
  readonly gotBytes: boolean;
  readonly sources: SourceBytes;
  /** The older version of the model that applications go on using; undefined where there is none. */
  readonly servedVersion?: string | undefined;
  /** Wall clock, milliseconds since 1970. */
  readonly now: number;
  /** 0 <= random < 1. */
  readonly random: number;
}

export type SourceBytes = Extract<WorkerEvent, { type: 'download.finished' }>['sources'];

/** How an attempt ends: the event that is published, and the result of the job. */
export interface AttemptEnd {
  /** Undefined when the row already says it (cancelled). */
  readonly event: WorkerEvent | undefined;
  readonly result: HandlerResult;
}

/** Pause before a full disk is checked again; milliseconds. */
export const DISK_RETRY_MS = 15 * SECOND_MS;

const MAX_MESSAGE_CHARS = 1000;

/** Decides how a failed attempt ends. Pure: every branch is a row of docs/fault-model.md, sections G and H. */
export function endOf(error: unknown, attempt: FailedAttempt): AttemptEnd {
  if (attempt.stopCause !== undefined) return stoppedByUs(attempt.stopCause, attempt);
  if (error instanceof StorageError && error.kind === 'disk-full') return waitsForSpace(error, attempt);
  const cause = error instanceof Error ? error : new Error(String(error));
  const outage = waitsForSources(cause, attempt);
  if (outage !== undefined) return outage;
  if (!attempt.context.lastAttempt && mayHelpToRetry(cause))
    return { event: interrupted('retry', cause.message, attempt, null), result: { do: 'retry', error: cause } };
  return { event: failed(cause, attempt), result: { do: 'fail', error: cause } };
}

function stoppedByUs(cause: StopCause, attempt: FailedAttempt): AttemptEnd {
  switch (cause) {
    case 'shutdown':
    case 'lock-lost': {
      const message =
        cause === 'shutdown'
          ? 'the worker is stopping; the job goes on elsewhere or after its restart'
          : 'another worker has the job now';
      return {
        event: interrupted('worker_shutdown', message, attempt, null),
        result: { do: 'put-back', reason: cause },
      };
    }
    case 'pause':
      return { event: interrupted('requested', 'paused on request', attempt, null), result: { do: 'done' } };
    case 'cancel':
      return { event: undefined, result: { do: 'done' } };
  }
}

function waitsForSpace(error: StorageError, attempt: FailedAttempt): AttemptEnd {
  const untilMs = attempt.now + DISK_RETRY_MS;
  return {
    event: interrupted('disk_full', error.message, attempt, untilMs),
    result: { do: 'delay', untilMs, for: 'space' },
  };
}

/**
 * An attempt in which no source could be reached is none: it burns no attempt, and the sources are asked again until the deadline,
 * the last time at the deadline itself.
 *
 * @returns undefined when it was an attempt
 */
function waitsForSources(error: Error, attempt: FailedAttempt): AttemptEnd | undefined {
  const { job, context, gotBytes, now, random } = attempt;
  if (!(error instanceof ExhaustedError) || job.deadlineAt === undefined) return undefined;
  if (gotBytes || !isOutage(error.failures)) return undefined;
  if (now >= job.deadlineAt) {
    const late = new DeadlineError(job.deadlineAt, error);
    return { event: failed(late, attempt), result: { do: 'fail', error: late } };
  }
  const untilMs = Math.min(now + sourceWaitMs(context.sourceWaitsInARow + 1, random), job.deadlineAt);
  const deadline = new Date(job.deadlineAt).toISOString();
  const message = `no source can be reached; they are asked again until ${deadline}; ${error.message}`;
  const event = interrupted('sources_unavailable', message, attempt, untilMs);
  return { event, result: { do: 'delay', untilMs, for: 'sources' } };
}

/** The sources stayed away until the deadline of the download. */
class DeadlineError extends Error {
  override readonly name = 'DeadlineError';

  constructor(deadlineAt: number, cause: ExhaustedError) {
    super(`its deadline ${new Date(deadlineAt).toISOString()} passed; ${cause.message}`, { cause });
  }
}

/** Wrong content and a missing permission are permanent failures; all other failures may be temporary. */
function mayHelpToRetry(error: Error): boolean {
  if (error instanceof ExhaustedError) return error.mayPass;
  if (error instanceof StorageError) return error.kind === 'io' || error.kind === 'busy';
  return !(error instanceof VerifyError);
}

function interrupted(
  reason: 'worker_shutdown' | 'disk_full' | 'sources_unavailable' | 'retry' | 'requested',
  message: string,
  { job, committedBytes, now }: FailedAttempt,
  retryAt: number | null,
): WorkerEvent {
  const { downloadId, generation } = job;
  const text = message.slice(0, MAX_MESSAGE_CHARS);
  return {
    type: 'download.interrupted',
    downloadId,
    generation,
    at: now,
    reason,
    message: text,
    committedBytes,
    retryAt,
  };
}

function failed(error: Error, { job, committedBytes, sources, servedVersion, now }: FailedAttempt): WorkerEvent {
  const stays = servedVersion === undefined ? '' : `; version ${servedVersion} of ${job.model?.name} stays in place`;
  return {
    type: 'download.failed',
    downloadId: job.downloadId,
    generation: job.generation,
    at: now,
    outcome: error instanceof ExhaustedError || error instanceof DeadlineError ? 'all_layers_exhausted' : null,
    errorKind: error instanceof ExhaustedError ? 'exhausted' : kindOf(error),
    message: error.message.slice(0, 4 * MAX_MESSAGE_CHARS - stays.length) + stays,
    committedBytes,
    sources,
  };
}

function kindOf(error: Error): string {
  if (error instanceof DeadlineError) return 'deadline';
  return error instanceof VerifyError || error instanceof StorageError ? error.kind : 'bug';
}

/** Degraded mode: no source has the wanted version, and the host goes on serving the older one. */
export function degradedNotice(
  { model, file }: DownloadJob,
  servedVersion: string,
  at: number,
): WorkerEvent | undefined {
  if (model === undefined) return undefined;
  return {
    type: 'host.notice',
    at,
    notice: 'degraded',
    model: model.name,
    path: file.path,
    message: `version ${model.version} of ${model.name} could not be fetched; version ${servedVersion} stays in place`,
    facts: { wantedVersion: model.version, servedVersion },
  };
}
