/** The most the API holds an answer. */
const MAX_WAIT_MS = 60_000;

/** @returns the `wait` parameter for so many milliseconds, within what the API accepts */
export const formatWait = (ms: number): string => `${Math.max(0, Math.min(MAX_WAIT_MS, Math.round(ms)))}ms`;
