import { FIRST_SLOTS, nextSlots, type SlotTrial } from './slot-trial.ts';

/** Fewer transfers say little of the rate. */
const LEAST_OF_ROUND = 8;

/** How many transfers of a host run at once: two, and more of them while that brings clearly more. */
export class MeasuredSlots {
  readonly #most: number;
  #state: SlotTrial = FIRST_SLOTS;
  #beganAtMs: number | undefined;
  #ended = 0;

  /** @param most transfers at once */
  constructor(most: number) {
    this.#most = most;
  }

  get slots(): number {
    return this.#state.slots;
  }

  /** A transfer ended, and others went on. @param nowMs monotonic milliseconds */
  ended(nowMs: number): void {
    if (this.#beganAtMs === undefined) return this.#begin(nowMs);
    this.#ended += 1;
    if (this.#ended < Math.max(LEAST_OF_ROUND, this.slots)) return;
    const next = nextSlots(this.#state, this.#ended, this.slots * (nowMs - this.#beganAtMs));
    if (next.slots <= this.#most) this.#state = next;
    this.#begin(nowMs);
  }

  /** A slot was free, so the rate says nothing of how many slots are right: the next `ended` begins to measure again. */
  idle(): void {
    this.#beganAtMs = undefined;
  }

  #begin(nowMs: number): void {
    [this.#beganAtMs, this.#ended] = [nowMs, 0];
  }
}
