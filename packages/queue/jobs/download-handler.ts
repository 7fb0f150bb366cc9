import type { DownloadJob } from '#contracts/worker/download-job';

/** Why a handler's signal fires; `signal.reason` is one of these. */
export type StopReason = 'shutdown' | 'lock-lost';

export interface AttemptContext {
  /** 1 for the first attempt since the last request of a user, earlier generations included. */
  readonly attempt: number;
  /** True when a `retry` would find no attempt left and fail the job. */
  readonly lastAttempt: boolean;
  /** How often a worker began this job, put-backs, delays and crashes included. */
  readonly timesStarted: number;
  /** Waits for sources before this attempt, without a byte in between. */
  readonly sourceWaitsInARow: number;
  /** Fires when the worker stops or no longer owns the job; the handler then saves and returns within a second. */
  readonly signal: AbortSignal;
}

/** Result of a job. The handler has already published the event. */
export type HandlerResult =
  | { readonly do: 'done' }
  /** Back to the head of the queue at once; burns no attempt. */
  | { readonly do: 'put-back'; readonly reason: string }
  /** Back to the queue at a time, milliseconds since 1970; burns no attempt. `for` counts waits for sources in a row. */
  | { readonly do: 'delay'; readonly untilMs: number; readonly for: 'sources' | 'space' }
  /** Burns an attempt; the next one follows after `afterMs`, or after the usual backoff. */
  | { readonly do: 'retry'; readonly error: Error; readonly afterMs?: number }
  /** Ends the job, whatever attempts are left. */
  | { readonly do: 'fail'; readonly error: Error };

export type DownloadHandler = (job: DownloadJob, context: AttemptContext) => Promise<HandlerResult>;
