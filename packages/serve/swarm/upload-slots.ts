import { WaitQueue } from '#core/async/wait-queue';
import { MeasuredSlots } from '#core/swarm/measured-slots';
import { FIRST_SLOTS } from '#core/swarm/slot-trial';
import { SECOND_MS } from '#core/units';
import { Upload, type UploadReader } from './upload.ts';

/** Uploads at once at most; on a link that two of them fill, more make each slower, and no piece is complete sooner. */
const MOST_ACTIVE = 12;
/** Hosts that wait for a slot; a further one is sent away, so that it asks another host. */
const WAITING = 12;
/** While hosts wait, uploads are looked at this often: no longer than a waiting host waits before it asks another one. */
const WINDOW_MS = 3 * SECOND_MS;
/** Uploads to slow readers, which go on without a slot; of more of them the slowest is broken off, so that each host may ask again. */
const MOST_SLOW = 12;

/**
 * Slots of the uploads to other hosts, first come first served. A short wait here wastes less than a refusal and a second request. While hosts wait, a
 * reader that takes far less than the others has no slot: its upload goes on beside them, because it leaves the link to them.
 */
export class UploadSlots {
  readonly #waiting = new WaitQueue<void>();
  readonly #measured = new MeasuredSlots(MOST_ACTIVE);
  readonly #listeners = new Set<() => void>();
  readonly #uploads = new Set<Upload>();
  #active = 0;
  #looks: NodeJS.Timeout | undefined;
  #windowBeganAt = 0;
  /** Bytes of the uploads that ended within the window. */
  #endedBytes = 0;

  /** Uploads that run or wait, counted as if there were two slots: below two, one more does not wait. */
  get load(): number {
    return Math.max(0, this.#active + this.#waiting.length - (this.#measured.slots - FIRST_SLOTS.slots));
  }

  /** Calls the function when the load has changed. @returns ends that */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** @returns ends the upload; undefined when too many wait. Rejects with the reason of the signal */
  async take(reader: UploadReader, signal: AbortSignal): Promise<(() => void) | undefined> {
    if (this.#active >= this.#measured.slots) {
      if (this.#waiting.length >= WAITING) return undefined;
      await this.#turn(signal);
    } else {
      this.#active += 1;
      this.#changed();
    }
    const upload = new Upload(reader);
    this.#uploads.add(upload);
    return () => this.#end(upload);
  }

  /** Waits for a slot; one that is handed over is counted there. */
  async #turn(signal: AbortSignal): Promise<void> {
    const turn = this.#waiting.wait(signal);
    if (this.#looks === undefined) {
      this.#beginWindow();
      this.#looks = setInterval(() => this.#look(), WINDOW_MS);
    }
    this.#changed();
    try {
      await turn;
    } finally {
      if (this.#waiting.length === 0) {
        clearInterval(this.#looks);
        this.#looks = undefined;
      }
    }
  }

  #beginWindow(): void {
    [this.#windowBeganAt, this.#endedBytes] = [performance.now(), 0];
    for (const upload of this.#uploads) upload.beginWindow();
  }

  /** Gives the slots of slow readers to hosts that wait. */
  #look(): void {
    const windowMs = performance.now() - this.#windowBeganAt;
    const uploads = [...this.#uploads];
    const allBytes = uploads.reduce((sum, { bytes }) => sum + bytes, this.#endedBytes);
    const others = Math.max(1, this.#measured.slots - 1);
    for (const upload of uploads) {
      const isSlow = upload.isSlow(windowMs, (allBytes - upload.bytes) / others) ?? !upload.hasPlace;
      if (isSlow === upload.hasPlace) this.#active += isSlow ? -1 : 1;
      upload.hasPlace = !isSlow;
    }
    const slow = uploads.filter(({ hasPlace }) => !hasPlace).sort((one, other) => other.bytes - one.bytes);
    for (const { reader } of slow.slice(MOST_SLOW)) reader.breakOff();
    this.#beginWindow();
    this.#handOver();
  }

  #end(upload: Upload): void {
    this.#uploads.delete(upload);
    this.#endedBytes += upload.bytes;
    if (upload.hasPlace) {
      if (this.#waiting.length > 0) this.#measured.ended(performance.now());
      else this.#measured.idle();
      this.#active -= 1;
    }
    this.#handOver();
  }

  #handOver(): void {
    while (this.#active < this.#measured.slots && this.#waiting.hand()) this.#active += 1;
    this.#changed();
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }
}
