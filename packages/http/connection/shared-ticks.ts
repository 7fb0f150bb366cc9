interface SharedInterval {
  readonly timer: NodeJS.Timeout;
  readonly ticks: Set<() => void>;
}

const intervals = new Map<number, SharedInterval>();

/**
 * Calls a function at regular moments, together with all others of the same interval: a timer for each would wake the process more often. The first
 * call may come early. A process that has nothing else to do ends all the same.
 *
 * @returns ends that; safe twice
 */
export function tickEvery(ms: number, tick: () => void): () => void {
  const shared = intervals.get(ms) ?? begin(ms);
  shared.ticks.add(tick);
  return () => {
    if (!shared.ticks.delete(tick) || shared.ticks.size > 0) return;
    clearInterval(shared.timer);
    intervals.delete(ms);
  };
}

function begin(ms: number): SharedInterval {
  const ticks = new Set<() => void>();
  const timer = setInterval(() => {
    for (const tick of ticks) tick();
  }, ms);
  timer.unref();
  const begun = { timer, ticks };
  intervals.set(ms, begun);
  return begun;
}
