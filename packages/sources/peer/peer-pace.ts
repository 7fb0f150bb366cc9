import { KIB, SECOND_MS } from '#core/units';

/** An answer is judged after this long. */
const GRACE_MS = 10 * SECOND_MS;
/** Below this share of the usual rate an answer is too slow: hosts share their links, so a quarter of it is no rare thing. */
const TOO_SLOW_SHARE = 1 / 16;
/**
 * An answer that hardly moves is judged sooner, after the time in which one without a byte would end. It gives far less than the usual rate, and less than
 * each of 64 hosts gets that share a link of 10 Mbit/s: a host on such a link among quick ones is only slow.
 */
const DRIP_GRACE_MS = 4 * SECOND_MS;
const DRIP_SHARE = 1 / 64;
const DRIP_BYTES_PER_SECOND = 16 * KIB;
const LOOK_EVERY_MS = SECOND_MS;

/** Rates at which the peers of one file answer. A peer far below the others keeps what it holds from all of them. */
export class PeerPace {
  readonly #now: () => number;
  #bytes = 0;
  #ms = 0;

  /** @param now monotonic milliseconds */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Call it when an answer begins. @param onSlow called once when the answer is too slow */
  watch(onSlow: () => void): PacedAnswer {
    const beganAt = this.#now();
    let bytes = 0;
    const look = (): void => {
      if (!this.#isTooSlow(bytes, this.#now() - beganAt)) return;
      clearInterval(timer);
      onSlow();
    };
    const timer = setInterval(look, LOOK_EVERY_MS).unref();
    return {
      took: (count) => void (bytes += count),
      end: (isWhole) => {
        clearInterval(timer);
        if (isWhole) [this.#bytes, this.#ms] = [this.#bytes + bytes, this.#ms + this.#now() - beganAt];
      },
    };
  }

  /** Never before a whole answer has shown what is usual: the limit may be that of this host. */
  #isTooSlow(bytes: number, ms: number): boolean {
    const isBelow = (share: number): boolean => bytes * this.#ms < share * this.#bytes * ms;
    if (ms >= GRACE_MS && isBelow(TOO_SLOW_SHARE)) return true;
    return ms >= DRIP_GRACE_MS && bytes * SECOND_MS < DRIP_BYTES_PER_SECOND * ms && isBelow(DRIP_SHARE);
  }
}

export interface PacedAnswer {
  took(bytes: number): void;
  /** @param isWhole all of it came; only such answers show what is usual */
  end(isWhole: boolean): void;
}
