import { setTimeout as delay } from 'node:timers/promises';
import { exponentialMs } from '#core/async/exponential-pause';
import type { Logger } from '#core/logger';
import { MINUTE_MS, SECOND_MS } from '#core/units';
import { type RedisClient, type RedisSettings, connectPatiently, disconnect } from '../connection.ts';
import { EventGroup, type StreamEntry, isGroupMissing } from './event-group.ts';
import { readEntry, type ReceivedBatch } from './event-stream.ts';
import { within } from '../within.ts';

export interface EventReaderOptions {
  readonly redis: RedisSettings;
  /** Readers of one group share the entries; another group sees all of them again. */
  readonly group: string;
  /** Unique for each running process. */
  readonly consumer: string;
  /**
   * Takes batches in the order of the stream; they are acknowledged when it resolves and come again when it
   * rejects, later on one at a time. A batch may come twice and, with several readers, out of order.
   */
  readonly onBatches: (batches: readonly ReceivedBatch[]) => Promise<void>;
  readonly logger: Logger;
  /** Most batches at once; 200 by default. */
  readonly maxBatches?: number;
  /** How long a batch stays with a reader that does not acknowledge it; 30 s by default. Longer than `onBatches` ever takes. */
  readonly claimAfterMs?: number;
  /**
   * Least time between two looks that find entries; milliseconds, 40 by default. A fleet sends hundreds of batches a second, and a
   * transaction costs the same for one as for twenty. The first entry after a quiet time is taken at once.
   */
  readonly gatherMs?: number;
}

export interface EventReaderCounts {
  /** Batches acknowledged. */
  readonly batches: number;
  /** Entries that are no batch, or that `onBatches` alone always rejects. */
  readonly poison: number;
  /** Entries trimmed before they were acknowledged. */
  readonly lost: number;
}

const DEFAULT_MAX_BATCHES = 200;
const DEFAULT_CLAIM_AFTER_MS = 30 * SECOND_MS;
const BLOCK_MS = 2 * SECOND_MS;
const DEFAULT_GATHER_MS = 40;
const MAX_PAUSE_MS = 5 * SECOND_MS;
const STOP_DEADLINE_MS = 5 * SECOND_MS;
/** A batch that failed this often, each time while another succeeded, is set aside. */
const MAX_FAILURES_ALONE = 5;
/** New batches looked at while old ones fail, to tell a bad batch from a database that is down. */
const PROBE_BATCHES = 5;

/** Reads the event stream as one of several, at least once each, and never stops at a bad entry. */
export class EventReader {
  readonly #options: EventReaderOptions;
  readonly #redis: RedisClient;
  readonly #group: EventGroup;
  readonly #stopping = new AbortController();
  readonly #counts = { batches: 0, poison: 0, lost: 0 };
  /** Failures of single entries while others succeeded. */
  readonly #failures = new Map<string, number>();
  #ownOpen = false;
  #failedRounds = 0;
  #nextClaimAt = 0;
  #waiting = false;
  #foundAt = -Infinity;
  #loop: Promise<void> | undefined;

  constructor(options: EventReaderOptions) {
    this.#options = options;
    this.#redis = connectPatiently(options.redis, 'event-reader', options.logger);
    this.#group = new EventGroup(this.#redis, options.redis.prefix, options.group, options.consumer);
  }

  get counts(): EventReaderCounts {
    return { ...this.#counts };
  }

  /** Begins to read; does not wait for Redis. */
  start(): void {
    if (!this.#stopping.signal.aborted) this.#loop ??= this.#run();
  }

  /** Lets the batches under way finish; the rest stays for the others. Safe twice and before start. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    if (this.#waiting) disconnect(this.#redis);
    if (this.#loop !== undefined) await within(this.#loop, STOP_DEADLINE_MS);
    disconnect(this.#redis);
  }

  async #run(): Promise<void> {
    let groupKnown = false;
    while (!this.#stopping.signal.aborted) {
      try {
        if (!groupKnown) await this.#group.create();
        groupKnown = true;
        await this.#round();
      } catch (error) {
        if (this.#stopping.signal.aborted) return;
        groupKnown = !isGroupMissing(error) && groupKnown;
        if (isGroupMissing(error)) continue;
        this.#options.logger.warn({ err: error }, 'event stream could not be read');
        await this.#pause(++this.#failedRounds);
      }
    }
  }

  async #round(): Promise<void> {
    await this.#claimFromDead();
    const before = this.#counts.batches;
    const failedOwn = this.#ownOpen ? await this.#retryOwn() : [];
    if (failedOwn.length === 0 || this.#failedRounds >= MAX_FAILURES_ALONE || this.#counts.batches > before)
      await this.#takeNew(failedOwn.length > 0);
    const progressed = this.#counts.batches > before;
    if (progressed) await this.#blame(failedOwn);
    this.#failedRounds = this.#ownOpen ? this.#failedRounds + 1 : 0;
    if (this.#ownOpen) await this.#pause(progressed ? 0 : this.#failedRounds);
  }

  /** One at a time, so that a bad one does not hold up the others. @returns those that failed again */
  async #retryOwn(): Promise<StreamEntry[]> {
    const failed: StreamEntry[] = [];
    for (const entry of await this.#group.readOwn(this.#maxBatches())) {
      if (this.#stopping.signal.aborted) break;
      if (!(await this.#deliver([entry], true))) failed.push(entry);
    }
    this.#ownOpen = failed.length > 0;
    return failed;
  }

  async #takeNew(probing: boolean): Promise<void> {
    const gatherMs = this.#options.gatherMs ?? DEFAULT_GATHER_MS;
    await this.#sleep(this.#foundAt + gatherMs - performance.now());
    if (this.#stopping.signal.aborted) return;
    this.#waiting = true;
    const entries = await this.#group
      .readNew(probing ? PROBE_BATCHES : this.#maxBatches(), probing ? 1 : BLOCK_MS)
      .finally(() => (this.#waiting = false));
    if (entries.length > 0) this.#foundAt = performance.now();
    if (entries.length > 0 && !(await this.#deliver(entries, false))) this.#ownOpen = true;
  }

  /** @returns false when `onBatches` rejected; the entries then stay with this reader */
  async #deliver(entries: readonly StreamEntry[], isReadAgain: boolean): Promise<boolean> {
    const batches: ReceivedBatch[] = [];
    for (const entry of entries) batches.push(...(await this.#read(entry, isReadAgain)));
    try {
      if (batches.length > 0) await this.#options.onBatches(batches);
    } catch (error) {
      this.#options.logger.warn({ batches: batches.length, err: error }, 'events were not taken, trying again');
      return false;
    }
    await this.#group.acknowledge(entries.map((entry) => entry.id));
    for (const { id } of entries) this.#failures.delete(id);
    this.#counts.batches += batches.length;
    return true;
  }

  async #read(entry: StreamEntry, isReadAgain: boolean): Promise<ReceivedBatch[]> {
    if (entry.fields === null) {
      this.#counts.lost += 1;
      return [];
    }
    const read = readEntry(entry.fields, isReadAgain);
    if ('received' in read) return [read.received];
    await this.#bury(entry, read.poison);
    return [];
  }

  async #blame(failed: readonly StreamEntry[]): Promise<void> {
    for (const entry of failed) {
      const failures = (this.#failures.get(entry.id) ?? 0) + 1;
      this.#failures.set(entry.id, failures);
      if (failures < MAX_FAILURES_ALONE) continue;
      this.#failures.delete(entry.id);
      await this.#bury(entry, `rejected ${failures} times while others were taken`);
    }
  }

  async #bury(entry: StreamEntry, reason: string): Promise<void> {
    this.#counts.poison += 1;
    this.#options.logger.error({ entryId: entry.id, reason }, 'event entry put aside');
    await this.#group.bury(entry, reason);
  }

  async #claimFromDead(): Promise<void> {
    const claimAfterMs = this.#options.claimAfterMs ?? DEFAULT_CLAIM_AFTER_MS;
    if (Date.now() < this.#nextClaimAt) return;
    this.#nextClaimAt = Date.now() + Math.min(claimAfterMs / 2, MINUTE_MS);
    const claimed = await this.#group.claim(this.#maxBatches(), claimAfterMs);
    if (claimed > 0) {
      this.#options.logger.info({ entries: claimed }, 'took over entries of a reader that is gone');
      this.#ownOpen = true;
    }
    await this.#group.forgetIdleConsumers();
  }

  /** Doubles from 100 ms to 5 s. */
  #pause(failures: number): Promise<void> {
    return this.#sleep(exponentialMs(100, failures + 1, MAX_PAUSE_MS));
  }

  /** Ends early at a stop. */
  async #sleep(ms: number): Promise<void> {
    if (ms > 0) await within(delay(ms, undefined, { signal: this.#stopping.signal }), ms + 1);
  }

  #maxBatches(): number {
    return this.#options.maxBatches ?? DEFAULT_MAX_BATCHES;
  }
}
