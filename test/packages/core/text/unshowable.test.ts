import { describe, expect, it } from '@jest/globals';
import { hasUnshowable, replaceUnshowable } from '#core/text/unshowable';

describe('unshowable characters', () => {
  it.each([
    ['a line end', 'a\nb'],
    ['an escape sequence', 'a\u001bb'],
    ['a C1 control', 'a\u009bb'],
    ['a right-to-left override', 'a\u202eb'],
    ['a direction mark', 'a\u200fb'],
    ['an isolate', 'a\u2066b'],
    ['a lone surrogate', 'a\ud800b'],
  ])('%s is found and replaced', (_name, text) => {
    expect(hasUnshowable(text)).toBe(true);
    expect(replaceUnshowable(text, '_')).toBe('a_b');
  });

  it('text of other scripts and pictures stay', () => {
    const text = 'Ünïcødé 模型 نموذج 🤗';
    expect(hasUnshowable(text)).toBe(false);
    expect(replaceUnshowable(text + text, '_')).toBe(text + text);
  });
});
