import { readFileSync } from 'node:fs';
import { expect } from '@jest/globals';

const SAMPLE_MS = 60;
/** Above it, other work shares the processors. */
const ALONE = 1.25;
/** Of a time in which programs waited throughout. */
const MOST_CONTENTION = 10;

/**
 * How much longer work takes now than it would alone: wall time of a little work over its processor time. About 1 on a machine
 * that does nothing else, however slow it is; 3 where two other programs want the same processor.
 */
export function contention(): number {
  const before = process.cpuUsage();
  const startedAt = performance.now();
  let passedMs = 0;
  while (passedMs < SAMPLE_MS) passedMs = performance.now() - startedAt;
  const { user, system } = process.cpuUsage(before);
  return Math.max(1, passedMs / Math.max(1, (user + system) / 1000));
}

/** Milliseconds in which programs of the machine waited for a processor or a disk, since it started; 0 where the system does not count them. */
function pressureMs(): number {
  const totalUs = (what: string): number => {
    try {
      return Number(/^some .*total=(\d+)/.exec(readFileSync(`/proc/pressure/${what}`, 'utf8'))![1]);
    } catch {
      // A system without these counts has only what is measured before and after.
      return 0;
    }
  };
  return (totalUs('cpu') + totalUs('io')) / 1000;
}

/**
 * How many times as long work may take as it would alone.
 *
 * @param contentions before it, after it, and while it ran
 */
export function slack(...contentions: readonly number[]): number {
  const most = Math.max(...contentions);
  return most > ALONE ? 2 * most : 1;
}

/**
 * Awaits work that has to be prompt, and fails where it took longer than it may: the limit itself on a machine that does nothing
 * else, more of it where other work shares the processors.
 */
export async function expectWithin<T>(limitMs: number, work: () => Promise<T>): Promise<T> {
  const before = contention();
  const pressureBeforeMs = pressureMs();
  const startedAt = performance.now();
  const result = await work();
  const tookMs = performance.now() - startedAt;
  const freeMs = tookMs - (pressureMs() - pressureBeforeMs);
  const during = tookMs / Math.max(freeMs, tookMs / MOST_CONTENTION);
  expect(tookMs).toBeLessThan(limitMs * slack(before, during, contention()));
  return result;
}
