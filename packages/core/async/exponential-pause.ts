/**
 * @param baseMs pause after the first failure
 * @param failuresInARow at least 1
 * @param maxMs longest pause
 * @returns milliseconds: `baseMs` doubled for each further failure
 */
export const exponentialMs = (baseMs: number, failuresInARow: number, maxMs: number): number =>
  Math.min(maxMs, baseMs * 2 ** Math.min(failuresInARow - 1, 30));

/**
 * Spreads a pause between half and all of its length ("equal jitter"), so that a fleet does not come back in step.
 *
 * @param random 0 <= random < 1
 * @returns whole milliseconds
 */
export const jitteredMs = (pauseMs: number, random: number): number => Math.round(pauseMs / 2 + (pauseMs / 2) * random);
