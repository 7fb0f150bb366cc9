import type { EventBatch } from '#contracts/worker/worker-events';
import { hostKey } from '#core/text/host-name';
import type { ProgressStep } from '#database/history/event-queries';
import type { ReceivedBatch } from '#queue/events/event-stream';
import type { HostKeys } from './believe-batches.ts';

/** A download that ran, by what the database said last. */
interface Running {
  readonly generation: number;
  /** Null for a worker of the pool without a host name. */
  readonly host: string | null;
  /** The worker's clock at its last position; milliseconds since 1970. */
  readonly at: number;
}

/**
 * Holds back batches that only repeat that downloads go on, so that the database is written once in some seconds and not with every report. What
 * is held may be lost without harm: workers repeat their positions every second.
 */
export class GatheredPositions {
  readonly #running = new Map<string, Running>();
  #held: ReceivedBatch[] = [];
  #keys: HostKeys = new Map();

  /** Of the hosts whose downloads are known to run, as they were read last. */
  get keys(): HostKeys {
    return this.#keys;
  }

  /** A batch with other events than positions of downloads that are known to run on its host may change more than a position. */
  isRepeat({ batch }: ReceivedBatch): boolean {
    const host = hostOf(batch);
    return (
      batch.events.length > 0 &&
      batch.events.every((event) => {
        if (event.type !== 'download.progress') return false;
        const known = this.#running.get(event.downloadId);
        return known !== undefined && known.generation === event.generation && known.host === host;
      })
    );
  }

  /** Holds a batch that is believed. @returns its positions that are newer than those before */
  hold(received: ReceivedBatch): ProgressStep[] {
    this.#held.push(received);
    const host = hostOf(received.batch);
    return received.batch.events.flatMap((event) => {
      const known = event.type === 'download.progress' ? this.#running.get(event.downloadId) : undefined;
      if (event.type !== 'download.progress' || known === undefined || known.at > event.at) return [];
      this.#running.set(event.downloadId, { ...known, at: event.at });
      return [{ ...event, host }];
    });
  }

  /** Notes what the database accepted: positions of downloads that run, and downloads that went on to another state. */
  learn(positions: readonly ProgressStep[], moved: readonly string[], keys: HostKeys): void {
    // A start and the first position may come together. One that ended together with its last position says nothing more.
    for (const id of moved) this.#running.delete(id);
    for (const { downloadId, generation, host, at } of positions)
      this.#running.set(downloadId, { generation, host, at });
    if (positions.length > 0) this.#keys = new Map([...this.#keys, ...keys]);
  }

  /** @returns what is held, which is not held any more */
  take(): ReceivedBatch[] {
    const held = this.#held;
    this.#held = [];
    return held;
  }

  /** Only these downloads are known to run; of another one the next position is written at once. */
  settle(running: ReadonlySet<string>, keys: HostKeys): void {
    for (const id of this.#running.keys()) if (!running.has(id)) this.#running.delete(id);
    this.#keys = new Map([...this.#keys, ...keys]);
  }

  /** Nothing is known of any download any more. */
  forget(): void {
    this.#running.clear();
    this.#held = [];
    this.#keys = new Map();
  }
}

const hostOf = ({ host }: EventBatch): string | null => (host === null ? null : hostKey(host));
