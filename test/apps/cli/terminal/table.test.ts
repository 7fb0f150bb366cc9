import { expect, it } from '@jest/globals';
import { cellsOf } from '../../../../apps/cli/terminal/cells.ts';
import { formatTable } from '../../../../apps/cli/terminal/table.ts';

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

it('counts cells of a terminal, not characters', () => {
  const lines = formatTable(
    ['name', 'x'],
    [
      ['模型', '1'],
      ['abc', '2'],
    ],
  ).split('\n');
  expect(lines.slice(2)).toEqual(['模型  1', 'abc   2']);
});

it('fits the terminal by cutting its widest columns, and cuts nothing where there is none', () => {
  const rows = [
    ['a'.repeat(60), '12', 'the connection was reset by the peer after a while'],
    ['模'.repeat(30), '7', 'x\ny\u001b[31m'],
  ];
  const lines = formatTable(['file', 'bytes', 'error'], rows, [1], 60).split('\n');
  for (const line of lines) expect(cellsOf(line)).toBeLessThanOrEqual(60);
  expect(lines[2]).toContain('…');
  expect(lines[2]).toContain('   12  the');
  expect(lines[3]).not.toContain('\u001b');
  expect(formatTable(['file', 'bytes', 'error'], rows, [1]).split('\n')[2]).toContain('a'.repeat(60));
  expect(formatTable(['file', 'bytes', 'error'], rows, [1], 5).split('\n')).toHaveLength(4);
});

it('cuts no id, also where the line is then longer than the terminal', () => {
  const id = '01997a4e-93a1-7b62-a0cf-3a1a4a4be0d4';
  const rows = [[id, 'the connection was reset by the peer', 'the name of a file that is long']];
  const fits = formatTable(['id', 'why', 'file'], rows, [], 70, [0]).split('\n')[2]!;
  expect(cellsOf(fits)).toBeLessThanOrEqual(70);
  expect(fits).toContain(id);
  expect(formatTable(['id', 'why', 'file'], rows, [], 20, [0])).toContain(id);
  expect(formatTable(['id'], [[id]], [], 20, [0])).toContain(id);
});

it('leaves out the last columns that would get no room, so that a line stays one line', () => {
  const id = '01997a4e-93a1-7b62-a0cf-3a1a4a4be0d4';
  const header = ['id', 'status', 'host', 'model', 'file', 'bytes', 'why'];
  const row = [id, 'failed', 'gpu-017', 'whisper-base@1.2', 'model.safetensors', '0% of 6.00 MB', 'no source gave it'];
  const lines = formatTable(header, [row], [5], 80, [0]).split('\n');
  expect(lines[0]).toMatch(/^id +status +host +model +file$/);
  for (const line of lines) expect(cellsOf(line)).toBeLessThanOrEqual(80);
  expect(formatTable(header, [row], [5], 30, [0]).split('\n')[0]).toMatch(/^id +status$/);
  expect(formatTable(header, [row], [5], undefined, [0])).toContain('no source gave it');
});
