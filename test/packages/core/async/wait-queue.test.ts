import { describe, expect, it } from '@jest/globals';
import { WaitQueue } from '#core/async/wait-queue';

const never = new AbortController().signal;

describe('WaitQueue', () => {
  it('hands each value to the caller that waits longest', async () => {
    const queue = new WaitQueue<string>();
    const waits = [queue.wait(never), queue.wait(never)];
    expect([queue.hand('a'), queue.hand('b'), queue.hand('c')]).toEqual([true, true, false]);
    expect(await Promise.all(waits)).toEqual(['a', 'b']);
  });

  it('ends an aborted wait with the reason of its signal and gives the next value to another caller', async () => {
    const queue = new WaitQueue<string>();
    const leaving = new AbortController();
    const left = queue.wait(leaving.signal);
    const stays = queue.wait(never);
    leaving.abort(new Error('enough'));
    await expect(left).rejects.toThrow('enough');
    expect(queue.length).toBe(1);
    expect(queue.hand('a')).toBe(true);
    expect(await stays).toBe('a');
  });

  it('rejects at once when the signal is aborted already', async () => {
    const queue = new WaitQueue<void>();
    await expect(queue.wait(AbortSignal.abort(new Error('over')))).rejects.toThrow('over');
    expect(queue.length).toBe(0);
  });
});
