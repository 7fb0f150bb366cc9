import { WaitQueue } from '#core/async/wait-queue';

/** Uploads at once: more of them make each slower, and no piece is complete sooner. */
const ACTIVE = 6;
/** Hosts that wait for a slot; a further one is sent away, so that it asks another host. */
const WAITING = 12;

/** Slots of the uploads to other hosts, first come first served. A short wait here wastes less than a refusal and a second request. */
export class UploadSlots {
  readonly #waiting = new WaitQueue<void>();
  #active = 0;

  /** @returns frees the slot; undefined when too many wait. Rejects with the reason of the signal */
  async take(signal: AbortSignal): Promise<(() => void) | undefined> {
    if (this.#active >= ACTIVE) {
      if (this.#waiting.length >= WAITING) return undefined;
      // The slot is handed over: the count stays.
      await this.#waiting.wait(signal);
    } else this.#active += 1;
    return () => {
      if (!this.#waiting.hand()) this.#active -= 1;
    };
  }
}
