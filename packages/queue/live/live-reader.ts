import { setTimeout as delay } from 'node:timers/promises';
import { LivePositions, type LivePosition } from '#contracts/live';
import { exponentialMs } from '#core/async/exponential-pause';
import type { Logger } from '#core/logger';
import { parseJson } from '#core/text/parse-json';
import { SECOND_MS } from '#core/units';
import { ChannelListener } from '../commands/channel-listener.ts';
import { connectPatiently, disconnect, type RedisClient, type RedisSettings } from '../connection.ts';
import { liveChannel, liveStreamKey } from '../keys.ts';
import { within } from '../within.ts';
import { entriesOf, LIVE_ENTRIES_KEPT, type LiveEntry } from './live-stream.ts';

export interface LiveReaderOptions {
  readonly redis: RedisSettings;
  /** Told the kept entries once at the start, oldest first, and the id after which nothing is missing. */
  readonly onStart: (kept: readonly LiveEntry[], since: string) => void;
  /** In the order of the stream; each entry once. */
  readonly onEntries: (entries: readonly LiveEntry[]) => void;
  readonly onPositions: (positions: readonly LivePosition[]) => void;
  /** Called after `onStart` when entries since the former start may have been lost. */
  readonly onGap: (reason: string) => void;
  readonly logger: Logger;
}

const BLOCK_MS = 2 * SECOND_MS;
const MAX_PAUSE_MS = 2 * SECOND_MS;
const STOP_DEADLINE_MS = SECOND_MS;

/** Reads what API processes tell each other, from its start on. */
export class LiveReader {
  readonly #options: LiveReaderOptions;
  readonly #stopping = new AbortController();
  readonly #listener: ChannelListener;
  #redis: RedisClient | undefined;
  #loop: Promise<void> | undefined;
  #lastId: string | undefined;
  #isGap = false;
  #failures = 0;

  constructor(options: LiveReaderOptions) {
    this.#options = options;
    const { redis, logger, onPositions } = options;
    this.#listener = new ChannelListener({
      ...{ redis, logger, channels: [liveChannel(redis.prefix)] },
      onMessage: (json) => {
        const { data } = LivePositions.safeParse(parseJson(json));
        if (data !== undefined) onPositions(data);
      },
    });
  }

  /** Does not wait for Redis. */
  start(): void {
    if (this.#stopping.signal.aborted || this.#loop !== undefined) return;
    const { redis: settings, logger } = this.#options;
    this.#redis = connectPatiently(settings, 'live', logger);
    this.#redis.on('close', () => this.#lost());
    this.#listener.start();
    this.#loop = this.#run(this.#redis);
  }

  /** True while a change that another process tells arrives at once. */
  get isHearing(): boolean {
    return this.#lastId !== undefined && this.#redis?.status === 'ready' && this.#failures === 0;
  }

  /** Safe twice and before start. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#listener.stop();
    if (this.#redis !== undefined) disconnect(this.#redis);
    if (this.#loop !== undefined) await within(this.#loop, STOP_DEADLINE_MS);
  }

  async #run(redis: RedisClient): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      try {
        this.#lastId ??= await this.#begin(redis);
        await this.#read(redis, this.#lastId);
        this.#failures = 0;
      } catch (err) {
        if (this.#stopping.signal.aborted) return;
        this.#lost();
        this.#failures += 1;
        this.#options.logger.debug({ err }, 'live changes could not be read, trying again');
        const pauseMs = exponentialMs(100, this.#failures, MAX_PAUSE_MS);
        await delay(pauseMs, undefined, { signal: this.#stopping.signal }).catch(() => undefined);
      }
    }
  }

  /** After an outage the stream may have been trimmed, or be another one, so the reader begins again. */
  #lost(): void {
    if (this.#lastId === undefined || this.#stopping.signal.aborted) return;
    this.#lastId = undefined;
    this.#isGap = true;
  }

  /** @returns the id after which entries are read */
  async #begin(redis: RedisClient): Promise<string> {
    const [seconds = '0', micros = '0'] = (await redis.time()).map(String);
    const now = `${Number(seconds) * 1000 + Math.floor(Number(micros) / 1000)}-0`;
    const newestFirst = await redis.xrevrange(
      liveStreamKey(this.#options.redis.prefix),
      '+',
      '-',
      'COUNT',
      LIVE_ENTRIES_KEPT,
    );
    const kept = entriesOf(newestFirst.reverse());
    this.#options.onStart(kept, kept[0]?.id ?? now);
    if (this.#isGap) this.#options.onGap('the connection to Redis was lost for a moment');
    this.#isGap = false;
    return kept.at(-1)?.id ?? now;
  }

  async #read(redis: RedisClient, after: string): Promise<void> {
    const key = liveStreamKey(this.#options.redis.prefix);
    const reply = await redis.xread('BLOCK', BLOCK_MS, 'STREAMS', key, after);
    const entries = entriesOf(reply?.[0]?.[1] ?? []);
    // A connection that was lost meanwhile begins again.
    if (entries.length === 0 || this.#lastId === undefined) return;
    this.#lastId = entries.at(-1)!.id;
    this.#options.onEntries(entries);
  }
}
