import type { WorkerEvent } from '#contracts/worker/worker-events';
import type { Logger } from '#core/logger';
import { SECOND_MS } from '#core/units';
import type { RunningDownloads } from './running-downloads.ts';

export interface ProgressPublisherOptions {
  readonly downloads: RunningDownloads;
  readonly publish: (event: WorkerEvent) => void;
  /** Reads the kept commands of running downloads and the limits of the host, which may have been published while Redis was down. */
  readonly recallCommands: (downloadIds: readonly string[]) => Promise<void>;
  readonly logger: Logger;
  readonly intervalMs?: number;
}

const INTERVAL_MS = SECOND_MS;
const TICKS_PER_RECALL = 5;

/** Publishes the progress of all running downloads once a second, in one batch. It is their heartbeat too. */
export class ProgressPublisher {
  readonly #options: ProgressPublisherOptions;
  #timer: NodeJS.Timeout | undefined;
  #ticks = 0;

  constructor(options: ProgressPublisherOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer ??= setInterval(() => this.#tick(), this.#options.intervalMs ?? INTERVAL_MS);
  }

  /** Safe twice and before start. */
  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #tick(): void {
    const { downloads, publish, recallCommands, logger } = this.#options;
    for (const event of downloads.sample()) publish(event);
    this.#ticks += 1;
    if (this.#ticks % TICKS_PER_RECALL === 0)
      recallCommands(downloads.ids).catch((err: unknown) => logger.debug({ err }, 'commands were not read'));
  }
}
