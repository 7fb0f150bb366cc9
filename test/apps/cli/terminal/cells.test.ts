import { describe, expect, it } from '@jest/globals';
import { cellsOf, clipEnd, clipStart, printable } from '../../../../apps/cli/terminal/cells.ts';

describe('cellsOf', () => {
  it.each([
    ['model.onnx', 10],
    ['模型', 4],
    ['ﾊﾝ', 2],
    ['한글', 4],
    ['e\u0301', 1],
    ['🤗⚡✅', 6],
    ['naïve…', 6],
  ])('%s takes %i cells', (text, cells) => {
    expect(cellsOf(text)).toBe(cells);
  });
});

describe('clipping', () => {
  it('keeps the start or the end and cuts no wide character in half', () => {
    expect(clipEnd('模型模型', 6)).toBe('模型…');
    expect(clipStart('模型模型', 6)).toBe('…模型');
    expect(clipEnd('模型', 4)).toBe('模型');
  });
});

describe('printable', () => {
  it('is one line without control characters', () => {
    expect(printable(' a\r\n  b\u001b[31m\u202e ')).toBe('a b\ufffd[31m\ufffd');
  });
});
