import { describe, expect, it } from '@jest/globals';
import { createProgress, resolveMode, type ProgressMode } from '../../../../apps/cli/terminal/progress.ts';
import { barLines, type ProgressItem } from '../../../../apps/cli/terminal/progress-lines.ts';
import { cellsOf } from '../../../../apps/cli/terminal/cells.ts';
import { longWork } from '../../../../apps/cli/terminal/long-work.ts';

const item = (doneBytes: number, more: Partial<ProgressItem> = {}): ProgressItem => ({
  ...{ label: 'model.bin', doneBytes, totalBytes: 1000, bytesPerSecond: 100, note: 'gateway' },
  ...more,
});

function display(mode: ProgressMode, options: { isTTY?: boolean; columns?: number; CI?: string; TERM?: string } = {}) {
  const written: string[] = [];
  const clock = { ms: 0 };
  const stream = { write: (text: string) => written.push(text), ...options };
  const shown = createProgress(mode, stream, options, () => clock.ms);
  return { written, clock, shown };
}

describe('the mode of progress', () => {
  const terminal = { write: (): undefined => undefined, isTTY: true };
  it.each([
    ['a terminal', terminal, {}, 'bar'],
    ['a terminal in CI', terminal, { CI: '1' }, 'plain'],
    ['a terminal that cannot redraw', terminal, { TERM: 'dumb' }, 'plain'],
    ['a file', { write: (): undefined => undefined }, {}, 'plain'],
  ] as const)('K24 auto in %s', (_where, stream, env, mode) => {
    expect(resolveMode('auto', stream, env)).toBe(mode);
  });

  it('is the mode of --progress otherwise', () => {
    expect(resolveMode('json', terminal, { CI: '1' })).toBe('json');
  });
});

describe('plain progress', () => {
  it('writes a line at every 5 % and after 30 s, without any escape sequence', () => {
    const { written, clock, shown } = display('plain');
    for (const bytes of [0, 10, 49, 50, 60, 120]) shown.update([item(bytes)]);
    clock.ms = 30_000;
    shown.update([item(121)]);
    shown.end();
    expect(written).toHaveLength(4);
    expect(written.map((line) => line.split(' ')[1])).toEqual(['0%', '5%', '12%', '12%']);
    expect(written[1]).toBe('model.bin 5% 50 B of 1.00 kB  100 B/s  eta 10 s  gateway\n');
    expect(written.join('')).not.toContain('\u001b');
  });

  it('shows a size that is not known as such, and no share of it', () => {
    const { written, shown } = display('plain');
    shown.update([item(70, { totalBytes: undefined })]);
    expect(written[0]).toBe('model.bin 70 B of ?  100 B/s  gateway\n');
  });
});

describe('plain progress of work that stands still', () => {
  it('shows once the reason of a wait, at once, and stays silent while nothing is known', () => {
    const { written, shown } = display('plain');
    shown.update([item(0, { totalBytes: undefined, note: '' })]);
    shown.update([item(10)]);
    for (const seconds of [2, 3, 4])
      shown.update([item(10, { bytesPerSecond: 0, note: `no bytes for ${seconds} s`, waits: true })]);
    shown.update([item(20)]);
    shown.update([item(20, { bytesPerSecond: 0, note: 'waits to ask again', waits: true })]);
    expect(written.map((line) => line.split('kB')[1]?.trim())).toEqual([
      '100 B/s  eta 10 s  gateway',
      'no bytes for 2 s',
      'waits to ask again',
    ]);
  });
});

describe('a bar', () => {
  it('redraws its lines in place, at most ten times a second, within the width', () => {
    const { written, clock, shown } = display('bar', { columns: 40 });
    shown.update([item(0), item(0)]);
    shown.update([item(500), item(0)]);
    clock.ms = 100;
    shown.update([item(500), item(0)]);
    expect(written).toHaveLength(2);
    expect(written[1]!.startsWith('\u001b[2A\u001b[2K')).toBe(true);
    const lines = written[1]!.split('\u001b[2K').slice(1);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(40);
  });

  it('leaves the last state on the screen', () => {
    const { written, shown } = display('bar', { columns: 120 });
    shown.update([item(0)]);
    shown.update([item(1000)]);
    shown.end();
    expect(written.at(-1)).toContain('100%');
  });
});

describe('one line for people', () => {
  it('stays above a bar, which is drawn again below it', () => {
    const { written, shown } = display('bar', { isTTY: true, columns: 80 });
    shown.update([item(1)]);
    shown.say('a word');
    shown.update([item(2)]);
    expect(written[1]).toBe('\u001b[1A\u001b[Ja word\n');
    expect(written[2]!.startsWith('\u001b[2K')).toBe(true);
  });

  it('is written in a log, and neither to programs nor where silence was asked for', () => {
    const said = (mode: ProgressMode): string => {
      const { written, shown } = display(mode);
      shown.say('a word');
      return written.join('');
    };
    expect([said('plain'), said('json'), said('none')]).toEqual(['a word\n', '', '']);
  });
});

it('writes one JSON object a line for programs, and nothing with none', () => {
  const json = display('json');
  json.shown.update([item(500)]);
  expect(JSON.parse(json.written.join(''))).toEqual({ progress: [item(500)] });
  const none = display('none');
  none.shown.update([item(500)]);
  none.shown.end();
  expect(none.written).toEqual([]);
});

describe('long work', () => {
  it('stays silent for two seconds and shows its bytes from then on', () => {
    const { written, clock, shown } = display('plain');
    const work = longWork({ write: (text) => written.push(text) }, shown, () => clock.ms);
    work.step('listing');
    clock.ms = 1999;
    work.update(item(900));
    expect(written).toEqual([]);
    clock.ms = 2000;
    work.update(item(950));
    expect(written).toHaveLength(1);
    work.end();
    work.end();
  });
});

describe('lines of a bar', () => {
  const moving = item(142_000_000, {
    ...{
      label: 'onnx/decoder_model_merged.bin',
      totalBytes: 300_000_000,
      bytesPerSecond: 142e6,
      note: 'gateway.example',
    },
  });
  const waiting = item(0, {
    totalBytes: 3000,
    bytesPerSecond: 0,
    note: 'it is written down and will be queued in a moment',
  });
  const done = item(1000, { bytesPerSecond: 0, note: 'primary_success' });

  it.each([40, 79, 119, 199])('are at most %d cells wide', (columns) => {
    const widths = barLines([moving, waiting, done], columns, 20).map((line) => line.length);
    expect(Math.max(...widths)).toBeLessThanOrEqual(columns);
  });

  it('show at 80 columns what matters: path, share, bytes and speed', () => {
    const [line] = barLines([moving], 79, 20);
    expect(line).toMatch(/^…coder_model_merged\.bin █+░+ /);
    expect(line).toContain('47%  142 MB of 300 MB    142 MB/s  eta 2 s');
  });

  it('tell of what stands still why, and no speed', () => {
    const [, waits, ended] = barLines([moving, waiting, done], 119, 20);
    expect(waits).toContain('0%  0 B of 3.00 kB      it is written down');
    expect(waits).not.toContain('/s');
    expect(ended).toMatch(/100% {2}1\.00 kB of 1\.00 kB {2}primary_success$/);
  });

  it.each(['模型 ü.onnx'.repeat(4), '\u001b[2J\u202etxt\nnew line', '👩‍🚀.bin'])(
    'stay one line with the name %j',
    (label) => {
      const line = barLines([{ ...moving, label }], 79, 20)[0]!;
      expect(cellsOf(line)).toBeLessThanOrEqual(79);
      expect(line).not.toMatch(/[\p{Cc}\u202e]/u);
      expect(line).toContain('47%  142 MB of 300 MB');
    },
  );

  it('say no share of a size that is not known, and keep what follows in its column', () => {
    const unknown = item(70, { totalBytes: undefined });
    const [known, line] = barLines([item(70), unknown], 119, 20);
    expect(line).toMatch(/^model\.bin ░+ {7}70 B of \? /);
    expect(line!.indexOf('70 B')).toBe(known!.indexOf('70 B'));
    expect(barLines([unknown, unknown, unknown], 119, 2).at(-1)).toMatch(/^… +0 of 3 files done/);
    expect(barLines([unknown, item(1000)], 119, 1).join()).toContain('%');
  });

  it('show 100 % only for complete items', () => {
    expect(barLines([item(999_999, { totalBytes: 1_000_000 })], 119, 20)[0]).toContain(' 99%  ');
  });

  it('are never more than the terminal has: what moves is shown, the rest is summed up', () => {
    const many = [...Array.from({ length: 30 }, () => done), moving, ...Array.from({ length: 20 }, () => waiting)];
    const lines = barLines(many, 119, 6);
    expect(lines).toHaveLength(6);
    expect(lines.join('\n')).toContain('gateway.example');
    expect(lines.at(-1)).toContain('30 of 51 files done, 46 not shown');
  });
});

it('K24 a log line names three files at most and sums up many', () => {
  const { written, shown } = display('plain');
  shown.update(Array.from({ length: 40 }, () => item(1000, { bytesPerSecond: 0 })));
  expect(written[0]).toMatch(/^100% of all, 40 of 40 files done, 38 not shown \| model\.bin 100%/);
});
