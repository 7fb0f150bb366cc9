import type { WorkerEvent } from '#contracts/worker/worker-events';

interface Entry {
  readonly event: WorkerEvent;
  readonly position: number;
}

/** Drop order when the buffer is full: first events that the next report repeats, then those that only the history needs. */
const KEEP_RANK: Record<WorkerEvent['type'], number> = {
  'download.progress': 0,
  'host.report': 0,
  'host.inventory': 0,
  'try.finished': 1,
  'host.notice': 2,
  'version.checked': 2,
  'host.activated': 3,
  'download.started': 3,
  'download.interrupted': 4,
  'download.failed': 4,
  'download.finished': 4,
};

/**
 * Events that wait to be sent, in order. A newer progress or host report replaces the one that still waits and
 * moves to the end.
 */
export class EventBuffer {
  readonly #entries = new Map<string, Entry>();
  readonly #capacity: number;
  #lastPosition = 0;

  /** @param capacity most events held; integer >= 1 */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Grows with every event; everything added so far has this position or a lower one. */
  get lastPosition(): number {
    return this.#lastPosition;
  }

  /** @returns how many events had to be dropped to make room */
  add(event: WorkerEvent): number {
    const position = ++this.#lastPosition;
    const key = replaceKey(event) ?? `event ${position}`;
    this.#entries.delete(key);
    this.#entries.set(key, { event, position });
    return this.#entries.size > this.#capacity ? this.#dropOne() : 0;
  }

  /** Removes and returns the oldest events, and the position of the last of them. */
  take(count: number): { events: WorkerEvent[]; position: number } {
    const events: WorkerEvent[] = [];
    let position = 0;
    for (const [key, entry] of this.#entries) {
      if (events.length === count) break;
      events.push(entry.event);
      position = entry.position;
      this.#entries.delete(key);
    }
    return { events, position };
  }

  #dropOne(): number {
    let victim: { key: string; rank: number } | undefined;
    for (const [key, { event }] of this.#entries) {
      const rank = KEEP_RANK[event.type];
      if (victim === undefined || rank < victim.rank) victim = { key, rank };
      if (rank === 0) break;
    }
    if (victim === undefined) return 0;
    this.#entries.delete(victim.key);
    return 1;
  }
}

function replaceKey(event: WorkerEvent): string | undefined {
  if (event.type === 'download.progress') return `progress ${event.downloadId} ${event.generation}`;
  return event.type === 'host.report' ? 'report' : undefined;
}
