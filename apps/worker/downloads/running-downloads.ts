import type { DownloadJob } from '#contracts/worker/download-job';
import type { WorkerCommand, WorkerEvent } from '#contracts/worker/worker-events';
import { createThrottle, type Throttle } from '#transfer/report/throttle';
import type { StopReason } from '#queue/jobs/download-handler';

/** `pause` and `cancel` come from a command; `shutdown` and `lock-lost` come from the queue. */
export type StopCause = 'pause' | 'cancel' | StopReason;

/** The reason of a download's aborted signal. */
export class StopError extends Error {
  override readonly name = 'StopError';
  readonly stopCause: StopCause;

  constructor(stopCause: StopCause) {
    super(`stopped: ${stopCause}`);
    this.stopCause = stopCause;
  }
}

/** @returns why the signal fired; undefined when it has not fired, or for the signal of another part */
export const stopCauseOf = (signal: AbortSignal): StopCause | undefined =>
  signal.reason instanceof StopError ? signal.reason.stopCause : undefined;

type ProgressEvent = Extract<WorkerEvent, { type: 'download.progress' }>;

/** Where a running download stands. */
export interface DownloadPosition {
  readonly committedBytes: number;
  readonly totalBytes: number | null;
  /** The source that gave most of the last second. */
  readonly source: string | null;
  /** Where that source belongs. */
  readonly from?: ProgressEvent['from'];
  readonly retries: number;
}

export interface RunningDownload {
  /** Fires with a `StopError`. */
  readonly signal: AbortSignal;
  /** The download's own limit, which a command may change while it runs. */
  readonly throttle: Throttle;
  /** Absolute values; cheap enough to call for every chunk. From the first call on the download is sampled. */
  report(position: DownloadPosition): void;
  /** Takes the download off the list, before its end is told; the caller of `begin` calls it after every end. Safe twice. */
  end(): void;
}

interface Entry {
  readonly job: DownloadJob;
  readonly controller: AbortController;
  readonly throttle: Throttle;
  /** Undefined until the attempt is announced: progress without a start event would count as a start. */
  position: DownloadPosition | undefined;
  /** The position and the time of the last sample, for the speed. */
  sampledBytes: number;
  sampledAt: number;
}

/** The downloads that this worker runs: sampled for progress, and stopped or limited by commands. */
export class RunningDownloads {
  readonly #entries = new Map<string, Entry>();
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  get ids(): string[] {
    return [...this.#entries.values()].map(({ job }) => job.downloadId);
  }

  /** @param queueSignal its reason, a `StopReason`, becomes the cause */
  begin(job: DownloadJob, queueSignal: AbortSignal): RunningDownload {
    const controller = new AbortController();
    const throttle = createThrottle(job.limitBytesPerSecond);
    const entry: Entry = { job, controller, throttle, position: undefined, sampledBytes: 0, sampledAt: this.#now() };
    const key = `${job.downloadId}.${job.generation}`;
    const forward = (): void => controller.abort(new StopError(queueSignal.reason as StopReason));
    if (queueSignal.aborted) forward();
    queueSignal.addEventListener('abort', forward, { once: true });
    this.#entries.set(key, entry);
    return {
      signal: controller.signal,
      throttle,
      report: (position) => this.#report(entry, position),
      end: () => {
        queueSignal.removeEventListener('abort', forward);
        if (this.#entries.get(key) === entry) this.#entries.delete(key);
      },
    };
  }

  /** Stops or limits the named download; ignores one that does not run here, or that runs in a later generation. */
  obey(command: WorkerCommand): void {
    for (const { job, controller, throttle } of this.#entries.values()) {
      if (job.downloadId !== command.downloadId || job.generation > command.generation) continue;
      if (command.command === 'limit') throttle.setRate(command.bytesPerSecond ?? undefined);
      else if (!controller.signal.aborted) controller.abort(new StopError(command.command));
    }
  }

  /** Bytes of an earlier attempt do not count for the speed of this one. */
  #report(entry: Entry, position: DownloadPosition): void {
    if (entry.position === undefined) {
      entry.sampledBytes = position.committedBytes;
      entry.sampledAt = this.#now();
    }
    entry.position = position;
  }

  /** The progress of all of them since the last sample. */
  sample(): ProgressEvent[] {
    const now = this.#now();
    return [...this.#entries.values()].flatMap((entry) => {
      const { job, position } = entry;
      if (position === undefined) return [];
      const seconds = Math.max(1, now - entry.sampledAt) / 1000;
      const bytesPerSecond = Math.max(0, Math.round((position.committedBytes - entry.sampledBytes) / seconds));
      entry.sampledBytes = position.committedBytes;
      entry.sampledAt = now;
      const { downloadId, generation } = job;
      return [{ type: 'download.progress' as const, downloadId, generation, at: now, ...position, bytesPerSecond }];
    });
  }
}
