import type { LiveChanges, LivePosition } from '#contracts/live';
import type { Logger } from '#core/logger';
import type { RedisClient } from '../connection.ts';
import { liveChannel, liveStreamKey } from '../keys.ts';
import { CHANGES_FIELD, LIVE_ENTRIES_KEPT } from './live-stream.ts';

export interface LiveWriterOptions {
  /** An impatient connection; the caller closes it after `stop`. */
  readonly redis: RedisClient;
  readonly prefix: string;
  readonly logger: Logger;
  /** Changes that come this close together travel as one entry; milliseconds; 100 by default. */
  readonly gatherMs?: number;
}

const GATHER_MS = 100;
/** Things in one entry, so that an entry stays below a megabyte. */
const MAX_THINGS = 2000;
/** Changes that wait while Redis is away; beyond, everyone is told to read again. */
const MAX_WAITING = 20_000;

/** What is told by its name alone. */
const NAMED = ['downloads', 'rollouts', 'hosts', 'others'] as const;

/**
 * Tells all API processes what changed. Changes go to a stream, so that a process that was cut off for a moment misses nothing; positions of
 * running downloads are only published. What changes several times before it is sent is sent once.
 */
export class LiveWriter {
  readonly #options: LiveWriterOptions;
  readonly #named = new Map<(typeof NAMED)[number], Set<string>>(NAMED.map((kind) => [kind, new Set()]));
  readonly #sources = new Map<string, NonNullable<LiveChanges['sources']>[number]>();
  #notices: NonNullable<LiveChanges['notices']> = [];
  readonly #positions = new Map<string, LivePosition>();
  #reread: string | undefined;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;
  #sending: Promise<void> = Promise.resolve();

  constructor(options: LiveWriterOptions) {
    this.#options = options;
  }

  /** Works without Redis; never throws. */
  add(changes: LiveChanges): void {
    for (const kind of NAMED) for (const name of changes[kind] ?? []) this.#named.get(kind)!.add(name);
    for (const source of changes.sources ?? []) this.#sources.set(source.id, source);
    this.#notices.push(...(changes.notices ?? []));
    this.#reread ??= changes.reread;
    this.#plan();
  }

  /** The latest position of each download counts. */
  addPositions(positions: readonly LivePosition[]): void {
    for (const position of positions) this.#positions.set(position.id, position);
    if (positions.length > 0) this.#plan();
  }

  /** Sends what is left. Safe twice. */
  async stop(): Promise<void> {
    if (this.#stopped) return this.#sending;
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#sending;
    await this.#flush();
  }

  #plan(): void {
    if (this.#stopped) return;
    this.#timer ??= setTimeout(() => {
      this.#sending = this.#flush().then(() => {
        this.#timer = undefined;
        if (this.#isWaiting()) this.#plan();
      });
    }, this.#options.gatherMs ?? GATHER_MS);
  }

  async #flush(): Promise<void> {
    await Promise.all([this.#sendChanges(), this.#sendPositions()]);
  }

  async #sendChanges(): Promise<void> {
    for (let changes = this.#take(); changes !== undefined; changes = this.#take()) {
      if (await this.#append(changes)) continue;
      this.#putBack(changes);
      return;
    }
  }

  async #append(changes: LiveChanges): Promise<boolean> {
    const { redis, prefix, logger } = this.#options;
    const text = JSON.stringify(changes);
    try {
      await redis.xadd(liveStreamKey(prefix), 'MAXLEN', '~', LIVE_ENTRIES_KEPT, '*', CHANGES_FIELD, text);
      return true;
    } catch (err) {
      logger.debug({ err }, 'live changes were not taken, trying again');
      return false;
    }
  }

  async #sendPositions(): Promise<void> {
    if (this.#positions.size === 0) return;
    const { redis, prefix, logger } = this.#options;
    const text = JSON.stringify([...this.#positions.values()]);
    this.#positions.clear();
    await redis
      .publish(liveChannel(prefix), text)
      .catch((err: unknown) => logger.debug({ err }, 'positions of downloads were not published'));
  }

  /** @returns the next entry; undefined when nothing waits */
  #take(): LiveChanges | undefined {
    if (!this.#isChanged()) return undefined;
    const changes: LiveChanges = {};
    let room = MAX_THINGS;
    for (const [kind, names] of this.#named) {
      const taken = [...names].slice(0, room);
      for (const name of taken) names.delete(name);
      if (taken.length > 0) changes[kind] = taken;
      room -= taken.length;
    }
    if (this.#sources.size > 0) changes.sources = [...this.#sources.values()];
    this.#sources.clear();
    const notices = this.#notices.splice(0, room);
    if (notices.length > 0) changes.notices = notices;
    if (this.#reread !== undefined) changes.reread = this.#reread;
    this.#reread = undefined;
    return changes;
  }

  #putBack(changes: LiveChanges): void {
    this.add(changes);
    const waiting = this.#notices.length + [...this.#named.values()].reduce((sum, { size }) => sum + size, 0);
    if (waiting <= MAX_WAITING) return;
    for (const names of this.#named.values()) names.clear();
    this.#notices = [];
    this.#reread = 'Redis was away for too long';
  }

  #isChanged(): boolean {
    const isNamed = [...this.#named.values()].some(({ size }) => size > 0);
    return isNamed || this.#sources.size > 0 || this.#notices.length > 0 || this.#reread !== undefined;
  }

  #isWaiting(): boolean {
    return this.#isChanged() || this.#positions.size > 0;
  }
}
