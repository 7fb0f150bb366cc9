import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { tickEvery } from '#http/connection/shared-ticks';

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

describe('ticks of one interval', () => {
  it('come from one timer, until the last of them has ended', () => {
    const ticks: string[] = [];
    const endFirst = tickEvery(300, () => void ticks.push('first'));
    jest.advanceTimersByTime(200);
    const endSecond = tickEvery(300, () => void ticks.push('second'));
    expect(jest.getTimerCount()).toBe(1);
    jest.advanceTimersByTime(100);
    expect(ticks.splice(0)).toEqual(['first', 'second']);
    endFirst();
    jest.advanceTimersByTime(300);
    expect(ticks.splice(0)).toEqual(['second']);
    endSecond();
    expect(jest.getTimerCount()).toBe(0);
  });

  it('are not ended by another one that ends twice', () => {
    const end = tickEvery(300, () => undefined);
    end();
    const tick = jest.fn();
    const endOther = tickEvery(300, tick);
    end();
    jest.advanceTimersByTime(600);
    expect(tick).toHaveBeenCalledTimes(2);
    endOther();
  });

  it('of different intervals come at their own times', () => {
    const [short, long] = [jest.fn(), jest.fn()];
    const ends = [tickEvery(100, short), tickEvery(400, long)];
    jest.advanceTimersByTime(400);
    expect([short.mock.calls.length, long.mock.calls.length]).toEqual([4, 1]);
    for (const end of ends) end();
  });
});
