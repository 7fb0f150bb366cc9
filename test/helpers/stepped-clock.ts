/** A clock that no machine is too slow for. */
export interface SteppedClock {
  /** Each look is a millisecond after the one before. */
  now(): Date;
  /** Sets it forward; milliseconds. */
  pass(ms: number): void;
}

/** @returns a clock that starts at the time of the machine and then goes on by looks and by what a test says */
export function steppedClock(): SteppedClock {
  let nowMs = Date.now();
  return {
    now: () => new Date((nowMs += 1)),
    pass: (ms) => void (nowMs += ms),
  };
}
