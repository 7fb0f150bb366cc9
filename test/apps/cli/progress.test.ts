import { describe, expect, it } from '@jest/globals';
import {
  createProgress,
  resolveMode,
  type ProgressItem,
  type ProgressMode,
} from '../../../apps/cli/terminal/progress.ts';
import { longWork } from '../../../apps/cli/terminal/long-work.ts';

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

  it('is what was asked for otherwise', () => {
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
    expect(written[1]).toBe('model.bin 5% 50 B of 1.00 kB  100 B/s  eta 9.5 s  gateway\n');
    expect(written.join('')).not.toContain('\u001b');
  });

  it('shows a size that is not known as such', () => {
    const { written, shown } = display('plain');
    shown.update([item(70, { totalBytes: undefined })]);
    expect(written[0]).toBe('model.bin 0% 70 B of ?  100 B/s  gateway\n');
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

it('writes one JSON object a line for programs, and nothing at all when told so', () => {
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
