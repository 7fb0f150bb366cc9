import { expect, it } from '@jest/globals';
import { formatTable } from '../../../apps/cli/terminal/table.ts';

it('lines columns up, numbers at their last digit, without spaces at the end of a line', () => {
  expect(
    formatTable(
      ['file', 'bytes', ''],
      [
        ['a.onnx', '5', 'x'],
        ['longer-name.bin', '1234'],
      ],
      [1],
    ),
  ).toBe(
    ['file             bytes', '───────────────  ─────  ─', 'a.onnx               5  x', 'longer-name.bin   1234'].join(
      '\n',
    ),
  );
});

it('has a header without rows', () => {
  expect(formatTable(['a', 'bc'], [])).toBe('a  bc\n─  ──');
});
