import { describe, expect, it } from '@jest/globals';
import { CANCEL_QUESTION, KEYS_HINT, keysOf } from '../../../../apps/cli/rollout/rollout-keys.ts';

/** @returns what was done, in order, after reads that gave these texts */
function after(...reads: readonly string[]): string[] {
  const done: string[] = [];
  const pressed = keysOf({
    hint: (line) => done.push(line ?? ''),
    stop: () => done.push('stop'),
    cancel: () => done.push('cancel'),
  });
  for (const read of reads) pressed(read);
  return done;
}

describe('the keys while a rollout is watched', () => {
  it('stop the watching with q, and cancel only with c and then y', () => {
    expect(after('q')).toEqual(['stop']);
    expect(after('c')).toEqual([CANCEL_QUESTION]);
    expect(after('c', 'y')).toEqual([CANCEL_QUESTION, KEYS_HINT, 'cancel']);
    expect(after('c', 'c')).toEqual([CANCEL_QUESTION, KEYS_HINT]);
    expect(after('c', 'q', 'y')).toEqual([CANCEL_QUESTION, KEYS_HINT]);
  });

  it('take a key that is held down as one, and pasted text and arrows as none', () => {
    expect(after('ccc')).toEqual([CANCEL_QUESTION]);
    expect(after('success, quickly', '\u001b[C')).toEqual([]);
  });
});
