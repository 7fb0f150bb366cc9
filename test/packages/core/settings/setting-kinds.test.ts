import { describe, expect, it } from '@jest/globals';
import { headerPair, share } from '#core/settings/setting-kinds';

describe('a header in a setting', () => {
  it.each([
    ['authorization=Bearer%20abc', ['authorization', 'Bearer abc']],
    ['X-Team=a=b', ['x-team', 'a=b']],
    ['x-part=100%', ['x-part', '100%']],
    ['x-empty=', ['x-empty', '']],
  ])('is a name and a value, which may be percent-encoded: %s', (text, pair) => {
    expect(headerPair(text)).toEqual(pair);
  });

  it.each(['no value', '=x', 'a b=c', 'x=\u00e4'])('is refused: %s', (text) => {
    expect(() => headerPair(text)).toThrow('write headers such as authorization=Bearer%20abc');
  });
});

describe('a share in a setting', () => {
  it.each([
    ['0', 0],
    ['0.25', 0.25],
    ['1', 1],
  ])('is a part of a whole: %s', (text, part) => {
    expect(share(text)).toBe(part);
  });

  it.each(['1.5', '-0.1', '10%', 'all', '', '.'])('is refused: "%s"', (text) => {
    expect(() => share(text)).toThrow('write a number from 0 to 1');
  });
});
