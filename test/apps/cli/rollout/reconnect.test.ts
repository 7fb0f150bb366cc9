import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { ApiError, UnreachableError } from '#client/api-error';
import { reconnecting } from '../../../../apps/cli/rollout/reconnect.ts';

describe('a call that is repeated while the API is away', () => {
  const away = new UnreachableError('http://api.example', 'connection refused');
  const signal = new AbortController().signal;
  const failing = (errors: readonly Error[], firstTakesMs = 0) => {
    const left = [...errors];
    let calls = 0;
    return {
      calls: () => calls,
      async call(): Promise<string> {
        calls += 1;
        if (calls === 1) await pause(firstTakesMs);
        const error = left.shift();
        if (error !== undefined) throw error;
        return 'answer';
      },
    };
  };

  it('T07 counts the outage from its first failure, not from the beginning of a call that waited for its answer', async () => {
    const { call, calls } = failing([away], 60);
    await expect(reconnecting(call, 40, signal, () => undefined)).resolves.toBe('answer');
    expect(calls()).toBe(2);
  });

  it('T07 is not repeated when no outage is allowed, and nothing is told then', async () => {
    const told: Error[] = [];
    const { call, calls } = failing([away]);
    await expect(reconnecting(call, 0, signal, (error) => told.push(error))).rejects.toBe(away);
    expect([calls(), told]).toEqual([1, []]);
  });

  it('T07 ends at once for an answer that a repeat does not change', async () => {
    const refused = new ApiError(404, undefined, 'there is no such download');
    const { call, calls } = failing([away, refused]);
    await expect(reconnecting(call, 60_000, signal, () => undefined)).rejects.toBe(refused);
    expect(calls()).toBe(2);
  });
});
