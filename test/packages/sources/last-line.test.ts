import { describe, expect, it } from '@jest/globals';
import { lastLines } from '#sources/peer/last-line';

const part = (text: string): Uint8Array => Buffer.from(text);

describe('lines that a peer sends', () => {
  it('N6 are found where they end, in whatever parts they arrive', () => {
    const last = lastLines(10);
    expect(last(part('AQ'))).toBeUndefined();
    expect(last(part(' 1\nAw 2\nB'))).toBe('Aw 2');
    expect(last(part('w 3\n'))).toBe('Bw 3');
  });

  it('L05 are not kept when they do not end', () => {
    const last = lastLines(10);
    last(part('0123456789'));
    expect(() => last(part('0'))).toThrow('a line is longer than 10 characters');
  });
});
