import { setTimeout as delay } from 'node:timers/promises';
import type { EventBatch, WorkerEvent } from '#contracts/worker/worker-events';
import type { Logger } from '#core/logger';
import { SECOND_MS } from '#core/units';
import type { RedisClient } from '../connection.ts';
import { EventBuffer } from './event-buffer.ts';
import type { SignBatch } from './batch-signature.ts';
import { BATCH_FIELD, DEFAULT_MAX_ENTRIES, SIGNATURE_FIELD, eventStreamKey } from './event-stream.ts';
import { fitEvent } from './fit-event.ts';
import { within } from '../within.ts';

export interface EventPublisherOptions {
  /** A patient connection; the caller closes it after `stop`. */
  readonly redis: RedisClient;
  readonly prefix: string;
  /** Null for a worker of the pool. */
  readonly host: string | null;
  readonly bootId: string;
  /** Of an enrolled host: signs each batch, which then carries the number of this boot. */
  readonly seal?: { readonly sign: SignBatch; readonly boot: number } | undefined;
  readonly logger: Logger;
  /** Most events held while Redis is down; 10,000 by default, which is about 5 MB. */
  readonly capacity?: number;
  /** Entries of the stream beyond which the oldest are trimmed. */
  readonly maxEntries?: number;
}

const DEFAULT_CAPACITY = 10_000;
const MAX_EVENTS_PER_BATCH = 500;
/** Events that come this close together travel in one batch; milliseconds. */
const GATHER_MS = 20;
const RETRY_PAUSE_MS = SECOND_MS;
const STOP_DEADLINE_MS = 300;

interface Waiter {
  readonly position: number;
  readonly resolve: () => void;
}

/**
 * Appends a worker's events to the stream, in order, one batch at a time. A batch is repeated with the same
 * sequence until Redis acknowledges it; while Redis is down events wait in memory.
 */
export class EventPublisher {
  readonly #options: EventPublisherOptions;
  readonly #buffer: EventBuffer;
  readonly #stopping = new AbortController();
  #waiters: Waiter[] = [];
  #sequence = 0;
  #acknowledged = 0;
  #dropped = 0;
  #draining = false;
  #gathering: NodeJS.Timeout | undefined;

  constructor(options: EventPublisherOptions) {
    this.#options = options;
    this.#buffer = new EventBuffer(options.capacity ?? DEFAULT_CAPACITY);
  }

  /** Works without Redis: the event waits in the buffer. @throws Error when the event breaks its contract */
  publish(event: WorkerEvent): void {
    this.#countDropped(this.#buffer.add(fitEvent(event)));
    this.#gathering ??= setTimeout(() => this.#drainNow(), GATHER_MS);
  }

  /**
   * Resolves when Redis has acknowledged everything published so far. A job returns only after that, so that the
   * end of a download is never lost.
   *
   * @throws the signal's reason
   */
  async flush(signal?: AbortSignal): Promise<void> {
    const position = this.#buffer.lastPosition;
    if (this.#acknowledged >= position) return;
    this.#drainNow();
    await new Promise<void>((resolve, reject) => {
      const abort = (): void => reject(signal?.reason as Error);
      if (signal?.aborted) return abort();
      signal?.addEventListener('abort', abort, { once: true });
      this.#waiters.push({
        position,
        resolve: () => {
          signal?.removeEventListener('abort', abort);
          resolve();
        },
      });
    });
  }

  /** Sends the waiting events, within a deadline, then ends. Safe twice. */
  async stop(): Promise<void> {
    if (this.#stopping.signal.aborted) return;
    await within(this.flush(), STOP_DEADLINE_MS);
    clearTimeout(this.#gathering);
    this.#stopping.abort();
    if (this.#acknowledged < this.#buffer.lastPosition)
      this.#options.logger.warn({ events: this.#buffer.size }, 'events were not delivered before the stop');
  }

  #drainNow(): void {
    clearTimeout(this.#gathering);
    this.#gathering = undefined;
    if (!this.#draining) void this.#drain();
  }

  async #drain(): Promise<void> {
    this.#draining = true;
    while (this.#buffer.size > 0 && !this.#stopping.signal.aborted) {
      const { events, position } = this.#buffer.take(MAX_EVENTS_PER_BATCH);
      if (!(await this.#append(this.#batchOf(events)))) break;
      this.#acknowledge(position);
    }
    this.#draining = false;
  }

  /** @returns the text of the next batch */
  #batchOf(events: WorkerEvent[]): string {
    const { host, bootId, seal } = this.#options;
    const boot = seal === undefined ? {} : { boot: seal.boot };
    const sequence = this.#sequence++;
    const batch: EventBatch = { version: 1, host, bootId, ...boot, sequence, sentAt: Date.now(), events };
    return JSON.stringify(batch);
  }

  /** @returns false when the publisher was stopped first */
  async #append(text: string): Promise<boolean> {
    const { redis, prefix, maxEntries, logger, seal } = this.#options;
    const key = eventStreamKey(prefix);
    const fields = [BATCH_FIELD, text, ...(seal === undefined ? [] : [SIGNATURE_FIELD, seal.sign(text)])];
    while (!this.#stopping.signal.aborted) {
      try {
        await redis.xadd(key, 'MAXLEN', '~', maxEntries ?? DEFAULT_MAX_ENTRIES, '*', ...fields);
        return true;
      } catch (error) {
        if (this.#stopping.signal.aborted) return false;
        logger.warn({ err: error }, 'events were not taken, trying again');
        await within(delay(RETRY_PAUSE_MS, undefined, { signal: this.#stopping.signal }), RETRY_PAUSE_MS);
      }
    }
    return false;
  }

  #acknowledge(position: number): void {
    this.#acknowledged = position;
    const reached = this.#waiters.filter((waiter) => waiter.position <= position);
    this.#waiters = this.#waiters.filter((waiter) => waiter.position > position);
    for (const waiter of reached) waiter.resolve();
  }

  #countDropped(count: number): void {
    if (count > 0 && this.#dropped === 0)
      this.#options.logger.warn({ held: this.#buffer.size }, 'redis is down for too long: dropping events');
    this.#dropped += count;
  }
}
