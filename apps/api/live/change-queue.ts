import type { LivePosition } from '#contracts/live';
import type { LiveEvent } from '#contracts/http/events';
import { SECOND_MS } from '#core/units';

/** Something that changed. What is told by its name alone is looked up when it is due. */
export type Thing =
  | { readonly kind: 'download' | 'rollout' | 'host'; readonly id: string }
  | { readonly kind: 'position'; readonly id: string; readonly position: LivePosition }
  | { readonly kind: 'event'; readonly id: string; readonly event: LiveEvent };

interface Waiting {
  readonly thing: Thing;
  /** Id of the entry before the one that told it first. */
  readonly before: string;
}

export interface Due {
  readonly things: readonly Thing[];
  /** Everything up to this entry has been given out, so a client that saw the things may resume from here. */
  readonly watermark: string;
  /** Milliseconds until something else is due; undefined when nothing waits. */
  readonly nextMs: number | undefined;
}

/** Least time between two events about one thing. */
const EVERY_MS = SECOND_MS;

const keyOf = ({ kind, id }: Thing): string => `${kind} ${id}`;

/** Holds changes back so that each thing is told at most once a second, with its latest state. */
export class ChangeQueue {
  readonly #now: () => number;
  readonly #waiting = new Map<string, Waiting>();
  /** When each thing was last given out, for the last second; oldest first. */
  readonly #given = new Map<string, number>();
  #lastId: string;

  /**
   * @param now monotonic milliseconds
   * @param lastId of the entry before the first
   */
  constructor(now: () => number, lastId: string) {
    this.#now = now;
    this.#lastId = lastId;
  }

  get lastId(): string {
    return this.#lastId;
  }

  get hasWaiting(): boolean {
    return this.#waiting.size > 0;
  }

  /** @param entryId undefined for what is not in the stream */
  add(things: readonly Thing[], entryId?: string): void {
    for (const thing of things) {
      const before = this.#waiting.get(keyOf(thing))?.before ?? this.#lastId;
      this.#waiting.set(keyOf(thing), { thing, before });
    }
    if (entryId !== undefined) this.#lastId = entryId;
  }

  /** Everything up to this entry has been given out. */
  watermark(): string {
    let watermark = this.#lastId;
    for (const { thing, before } of this.#waiting.values())
      if (thing.kind !== 'position' && compareIds(before, watermark) < 0) watermark = before;
    return watermark;
  }

  take(): Due {
    const now = this.#now();
    this.#forget(now);
    const things: Thing[] = [];
    let nextMs: number | undefined;
    for (const [key, { thing }] of this.#waiting) {
      const restMs = (this.#given.get(key) ?? -Infinity) + EVERY_MS - now;
      if (restMs <= 0) {
        things.push(thing);
        this.#waiting.delete(key);
        this.#given.delete(key);
        this.#given.set(key, now);
      } else {
        nextMs = Math.min(nextMs ?? Infinity, restMs);
      }
    }
    return { things, watermark: this.watermark(), nextMs };
  }

  #forget(now: number): void {
    for (const [key, at] of this.#given) {
      if (at + EVERY_MS > now) return;
      this.#given.delete(key);
    }
  }
}

/** @returns below 0 when `a` comes before `b`; ids are those of a Redis stream */
export function compareIds(a: string, b: string): number {
  const [aMs = 0, aCount = 0] = a.split('-').map(Number);
  const [bMs = 0, bCount = 0] = b.split('-').map(Number);
  return aMs - bMs || aCount - bCount;
}
