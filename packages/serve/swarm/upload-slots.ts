import { WaitQueue } from '#core/async/wait-queue';
import { MeasuredSlots } from '#core/swarm/measured-slots';
import { FIRST_SLOTS } from '#core/swarm/origin-slots';

/** Uploads at once at most; on a link that two of them fill, more make each slower, and no piece is complete sooner. */
const MOST_ACTIVE = 12;
/** Hosts that wait for a slot; a further one is sent away, so that it asks another host. */
const WAITING = 12;

/** Slots of the uploads to other hosts, first come first served. A short wait here wastes less than a refusal and a second request. */
export class UploadSlots {
  readonly #waiting = new WaitQueue<void>();
  readonly #measured = new MeasuredSlots(MOST_ACTIVE);
  readonly #listeners = new Set<() => void>();
  #active = 0;

  /** Uploads that run or wait, counted as if there were two slots: below two, one more does not wait. */
  get load(): number {
    return Math.max(0, this.#active + this.#waiting.length - (this.#measured.slots - FIRST_SLOTS.slots));
  }

  /** Calls the function when the load has changed. @returns ends that */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** @returns frees the slot; undefined when too many wait. Rejects with the reason of the signal */
  async take(signal: AbortSignal): Promise<(() => void) | undefined> {
    if (this.#active >= this.#measured.slots) {
      if (this.#waiting.length >= WAITING) return undefined;
      // A slot that is handed over is counted there.
      const turn = this.#waiting.wait(signal);
      this.#changed();
      await turn;
    } else {
      this.#active += 1;
      this.#changed();
    }
    return () => this.#free();
  }

  #free(): void {
    if (this.#waiting.length > 0) this.#measured.ended(performance.now());
    else this.#measured.idle();
    this.#active -= 1;
    while (this.#active < this.#measured.slots && this.#waiting.hand()) this.#active += 1;
    this.#changed();
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }
}
