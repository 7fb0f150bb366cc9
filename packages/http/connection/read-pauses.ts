import { KIB, MIB, SECOND_MS } from '#core/units';

/** What should come during a pause. */
const GATHERED_BYTES = 32 * KIB;
/** Less than a receive window has: when so much has come, the link is faster than it was, or the pause keeps it back. */
const BURST_BYTES = 48 * KIB;
const LONGEST_MS = 40;
/** A body at this rate is read as it comes: each read takes many packets anyway. */
const FAST_BYTES_PER_SECOND = 4 * MIB;
const MEASURED_MS = 100;
/** Pauses end at multiples of this, so that those of several connections end together: that wakes the process once. */
const TOGETHER_MS = 20;

/**
 * How long a socket is left unread within a body. On a slow link packets come one by one, and reading each of them costs much more than its bytes do;
 * after a pause, one read takes all that the kernel has received meanwhile. The end of a body is never kept waiting, and neither is a body of unknown length.
 */
export class ReadPauses {
  #leftBytes = 0;
  #measuredFrom = 0;
  #measuredBytes = 0;
  #pauseMs = 0;

  /**
   * Call it when a body begins. Until its rate is measured, pauses are as long as in the body before it on the connection.
   *
   * @param lengthBytes undefined where it is not known
   * @param now monotonic milliseconds, also below
   */
  begin(lengthBytes: number | undefined, now: number): void {
    this.#leftBytes = lengthBytes ?? 0;
    this.#measureFrom(now);
  }

  /** So many bytes of the body reached the consumer. */
  passed(bytes: number): void {
    this.#leftBytes -= bytes;
  }

  /**
   * Bytes of the body were read.
   *
   * @param waitingBytes that were read and have not reached the consumer, these included
   * @returns milliseconds that they may wait, with the socket unread; 0: they are passed on now
   */
  after(bytes: number, waitingBytes: number, now: number): number {
    this.#measuredBytes += bytes;
    if (this.#pauseMs > 0 && waitingBytes >= BURST_BYTES) {
      this.#pauseMs = 0;
      this.#measureFrom(now);
    } else if (now - this.#measuredFrom >= MEASURED_MS) {
      this.#pauseMs = pauseAt((this.#measuredBytes * SECOND_MS) / (now - this.#measuredFrom));
      this.#measureFrom(now);
    }
    if (this.#leftBytes - waitingBytes <= BURST_BYTES) return 0;
    return this.#pauseMs < TOGETHER_MS ? this.#pauseMs : this.#pauseMs - ((now + this.#pauseMs) % TOGETHER_MS);
  }

  #measureFrom(now: number): void {
    [this.#measuredFrom, this.#measuredBytes] = [now, 0];
  }
}

function pauseAt(bytesPerSecond: number): number {
  if (bytesPerSecond >= FAST_BYTES_PER_SECOND) return 0;
  return Math.min(LONGEST_MS, (GATHERED_BYTES * SECOND_MS) / bytesPerSecond);
}
