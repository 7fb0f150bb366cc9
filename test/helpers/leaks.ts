import { afterAll, beforeAll } from '@jest/globals';
import { until } from './until.ts';

/** What a test opens and must close. Timers are left out: jest and undici keep some of their own. */
const WATCHED = new Set(['TCPServerWrap', 'TCPSocketWrap', 'UDPWrap', 'PipeWrap', 'ProcessWrap']);

/**
 * Makes the file fail when its tests leave servers, connections or child processes open. Call it once, at the top of
 * the file or of a `describe`: what is open before its first test is not counted.
 */
export function expectNoLeaks(): void {
  let before = new Map<string, number>();
  beforeAll(() => {
    before = openHandles();
  });
  afterAll(async () => {
    // A socket that was destroyed is gone one turn later, so this waits a little before it complains.
    let leaked = '';
    const isClean = (): boolean => (leaked = leakedSince(before)) === '';
    await until(isClean, { timeoutMs: 20_000, what: 'every handle is closed' }).catch(() => {
      throw new Error(`the tests left open: ${leaked}`);
    });
  });
}

function openHandles(): Map<string, number> {
  const counts = new Map<string, number>();
  for (const name of process.getActiveResourcesInfo()) {
    if (WATCHED.has(name)) counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return counts;
}

function leakedSince(before: Map<string, number>): string {
  const more = [...openHandles()].map(([name, count]) => [name, count - (before.get(name) ?? 0)] as const);
  return more.flatMap(([name, extra]) => (extra > 0 ? [`${extra} ${name}`] : [])).join(', ');
}
