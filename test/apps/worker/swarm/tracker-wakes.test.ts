import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { answerOf, lease, LEAVES_OF_A_PIECE, pass, TellingHost } from './tracker-kit.ts';

describe('a host at a tracker', () => {
  let host: TellingHost;

  beforeEach(() => {
    jest.useFakeTimers();
    host = new TellingHost();
  });
  afterEach(async () => {
    await host.tracker.stop();
    jest.restoreAllMocks();
    jest.useRealTimers();
  });

  it('N6 sleeps until something happens or the next announce is due', async () => {
    const timers = jest.spyOn(globalThis, 'setTimeout');
    host.answer = () => answerOf({ leases: [lease(3)] });
    host.track();
    await pass(19_000);
    expect(host.announced).toHaveLength(10);
    // One for what begins, and one for each announce.
    expect(timers.mock.calls.length).toBe(11);
    timers.mockClear();
    for (let leaf = 0; leaf < LEAVES_OF_A_PIECE - 1; leaf += 1) host.arrive(leaf);
    expect(timers).toHaveBeenCalledTimes(1);
    await pass(100);
    // What arrived is no news: the next announce is waited for again.
    expect(timers).toHaveBeenCalledTimes(2);
    expect(host.announced).toHaveLength(10);
  });

  it('N6 tells of a piece that arrived within the least pause at its end', async () => {
    host.answer = () => answerOf({ leases: [lease(3), lease(4)] });
    host.track();
    await pass(100);
    host.answer = () => answerOf({ leases: [] });
    host.complete(3);
    host.complete(4);
    await pass(170);
    expect(host.announced).toHaveLength(1);
    await pass(10);
    expect(host.announced).toHaveLength(2);
    await pass(1900);
    expect(host.announced).toHaveLength(2);
  });
});
