import { HOUR_MS } from '#core/units';
import type { RedisClient } from '../connection.ts';
import { deadEventsKey, eventStreamKey } from '../keys.ts';

/** `fields` is null when the stream was trimmed before the entry was acknowledged. */
export interface StreamEntry {
  readonly id: string;
  readonly fields: readonly string[] | null;
}

const CONSUMER_FORGOTTEN_AFTER_MS = HOUR_MS;
const MAX_DEAD_ENTRIES = 1000;

/** The commands of one consumer in a consumer group of the event stream. */
export class EventGroup {
  readonly #redis: RedisClient;
  readonly #key: string;
  readonly #deadKey: string;
  readonly #group: string;
  readonly #consumer: string;

  constructor(redis: RedisClient, prefix: string, group: string, consumer: string) {
    this.#redis = redis;
    this.#key = eventStreamKey(prefix);
    this.#deadKey = deadEventsKey(prefix);
    this.#group = group;
    this.#consumer = consumer;
  }

  /** Makes stream and group where they are missing; a new group starts at the oldest entry. */
  async create(): Promise<void> {
    try {
      await this.#redis.xgroup('CREATE', this.#key, this.#group, '0', 'MKSTREAM');
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith('BUSYGROUP'))) throw error;
    }
  }

  /** Entries that no consumer has taken; waits for the first. */
  async readNew(count: number, blockMs: number): Promise<StreamEntry[]> {
    const reply = await this.#redis.xreadgroup(
      'GROUP',
      this.#group,
      this.#consumer,
      'COUNT',
      count,
      'BLOCK',
      blockMs,
      'STREAMS',
      this.#key,
      '>',
    );
    return toEntries(reply);
  }

  /** Entries this consumer took and has not acknowledged; reading them also keeps others from claiming them. */
  async readOwn(count: number): Promise<StreamEntry[]> {
    const reply = await this.#redis.xreadgroup(
      'GROUP',
      this.#group,
      this.#consumer,
      'COUNT',
      count,
      'STREAMS',
      this.#key,
      '0',
    );
    return toEntries(reply);
  }

  /**
   * Takes over entries that another consumer has held for too long, because it died.
   *
   * @returns how many
   */
  async claim(count: number, idleMs: number): Promise<number> {
    const [, entries, trimmed] = (await this.#redis.xautoclaim(
      this.#key,
      this.#group,
      this.#consumer,
      idleMs,
      '0-0',
      'COUNT',
      count,
    )) as [cursor: string, entries: unknown[], trimmed?: unknown[]];
    return entries.length + (trimmed?.length ?? 0);
  }

  async acknowledge(ids: readonly string[]): Promise<void> {
    if (ids.length > 0) await this.#redis.xack(this.#key, this.#group, ...ids);
  }

  /** Moves an entry to the list of unreadable batches and acknowledges it. */
  async bury(entry: StreamEntry, reason: string): Promise<void> {
    const fields = [...(entry.fields ?? []), 'entryId', entry.id, 'reason', reason];
    await this.#redis.xadd(this.#deadKey, 'MAXLEN', '~', MAX_DEAD_ENTRIES, '*', ...fields);
    await this.acknowledge([entry.id]);
  }

  /** Deletes consumers of processes that ended long ago. A consumer with open entries stays, because they would be lost. */
  async forgetIdleConsumers(): Promise<void> {
    const consumers = (await this.#redis.xinfo('CONSUMERS', this.#key, this.#group)) as unknown[][];
    for (const consumer of consumers) {
      const facts = new Map(pairs(consumer));
      const idleMs = Number(facts.get('idle'));
      if (facts.get('name') === this.#consumer || Number(facts.get('pending')) > 0) continue;
      if (idleMs > CONSUMER_FORGOTTEN_AFTER_MS)
        await this.#redis.xgroup('DELCONSUMER', this.#key, this.#group, String(facts.get('name')));
    }
  }
}

/** True when stream or group vanished: Redis was flushed or lost its data. */
export const isGroupMissing = (error: unknown): boolean =>
  error instanceof Error && /NOGROUP|UNBLOCKED/.test(error.message);

function toEntries(reply: unknown): StreamEntry[] {
  const streams = (reply ?? []) as [key: string, entries: [id: string, fields: string[] | null][]][];
  return streams.flatMap(([, entries]) => entries.map(([id, fields]) => ({ id, fields })));
}

function pairs(flat: readonly unknown[]): [string, unknown][] {
  const result: [string, unknown][] = [];
  for (let at = 0; at + 1 < flat.length; at += 2) result.push([String(flat[at]), flat[at + 1]]);
  return result;
}
