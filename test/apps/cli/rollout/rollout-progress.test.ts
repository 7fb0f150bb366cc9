import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { Rollout } from '#contracts/http/rollouts/rollout';
import type { LayerName } from '#core/layer';
import type { RolloutHost } from '#contracts/http/rollouts/rollout-lists';
import { rolloutDisplay, type RolloutEnvironment } from '../../../../apps/cli/rollout/rollout-progress.ts';
import { headLines, hostsLine, progressLine, stateLine } from '../../../../apps/cli/rollout/rollout-text.ts';
import type { ProgressMode } from '../../../../apps/cli/terminal/progress.ts';

const COUNTS = {
  ...{ targeted: 12, succeeded: 0, alreadyPresent: 0, failed: 0, timedOut: 0, cancelled: 0, pending: 12, offline: 0 },
  ...{ running: 0, unknown: 0, skipped: 0, superseded: 0, late: 0 },
};

const rollout = (counts: Partial<Rollout['counts']> = {}, more: Partial<Rollout> = {}): Rollout => ({
  ...{
    id: 'e7ab4d40-0000-4000-8000-000000000000',
    state: 'running',
    isFinal: false,
    reason: 'running',
    message: 'it runs',
  },
  ...{ models: [{ name: 'whisper', version: '1', files: 1, sizeBytes: 1000 }], selector: 'gpu=true', exclude: [] },
  ...{ wave: { index: 1, name: 'half', of: 3 }, waves: [], counts: { ...COUNTS, ...counts } },
  threshold: { percent: 90, required: 11, allowedFailures: 1, met: false },
  bytes: { done: 100, total: 1000, perSecond: 0 },
  ...{ offline: 'wait', onFailure: 'stop', mode: null, priority: null, createdBy: 'ci', version: 'v' },
  ...{ hold: false, isHolding: false },
  ...{ deadlineAt: '2026-11-29T13:00:00.000Z', createdAt: '2026-11-29T12:00:00.000Z' },
  ...{ startsAt: null, soakUntil: null, startedAt: null, endedAt: null, updatedAt: '2026-11-29T12:00:00.000Z' },
  links: { self: '', hosts: '', errors: '', events: '', swarms: '' },
  originCopies: { copies: null, allowed: 1 },
  ...more,
});

const host = (name: string, bytes: number, message: string | null = null): RolloutHost => ({
  ...{ host: name, site: '', wave: 'half', state: 'downloading', reason: null, message, alreadyPresent: false },
  ...{ isLate: false, bytes, totalBytes: 1000, bytesPerSecond: 2000, dispatchedAt: null, endedAt: null },
  updatedAt: '2026-11-29T12:00:00.000Z',
});

const source = (layer: LayerName, bytes: number) => ({
  ...{ layer, bytes, source: 'http://one.example', tries: 1, successes: 1, p95Ms: 10, lastError: null },
});

function display(mode: ProgressMode, env: RolloutEnvironment = {}, size: { columns?: number; rows?: number } = {}) {
  const written: string[] = [];
  const stream = { write: (text: string) => written.push(text), isTTY: true, ...size };
  return { written, shown: rolloutDisplay(mode, stream, env, () => new Date('2026-11-29T14:02:11Z')) };
}

describe('the progress of a rollout in a log', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  it('is a line at every 5 % and at each change of the state, without any escape sequence', () => {
    const { written, shown } = display('plain');
    shown.update(rollout());
    shown.update(rollout({ running: 2, pending: 10 }));
    shown.update(rollout({ succeeded: 1, running: 1, pending: 10 }));
    shown.update(
      rollout({ succeeded: 1, pending: 11 }, { state: 'paused', reason: 'gate', message: 'wave canary is done' }),
    );
    shown.end();
    expect(written).toEqual([
      '14:02:11   0% | 0 ok · 12 queued\n',
      '14:02:11   8% | 1 ok · 1 running · 10 queued\n',
      '14:02:11   8% | 1 ok · 11 queued | paused: wave canary is done\n',
    ]);
  });

  it('has the shares of the layers, which are asked for only when a line is due', () => {
    const { written, shown } = display('plain');
    expect(shown.detailsFor(rollout())).toBe('sources');
    shown.update(rollout());
    expect(shown.detailsFor(rollout({ running: 2, pending: 10 }))).toBe('none');
    const further = rollout({ succeeded: 6, pending: 6 });
    expect(shown.detailsFor(further)).toBe('sources');
    shown.update(further, { hosts: [], sources: [source('peer', 610), source('huggingface', 390)] });
    shown.end();
    expect(written[1]).toBe('14:02:11  50% | 6 ok · 6 queued | peer 61% · huggingface 39%\n');
  });

  it('is repeated every 30 s also when nothing changes, until the end', () => {
    const { written, shown } = display('plain');
    shown.update(rollout());
    jest.advanceTimersByTime(29_999);
    expect(written).toHaveLength(1);
    jest.advanceTimersByTime(1);
    expect(written).toHaveLength(2);
    jest.advanceTimersByTime(30_000);
    expect(written).toHaveLength(3);
    shown.end();
    jest.advanceTimersByTime(120_000);
    expect(written).toHaveLength(3);
  });

  it('says nothing with none, and one object a line with json', () => {
    const none = display('none');
    none.shown.update(rollout());
    none.shown.say('FAILED');
    expect(none.written).toEqual([]);
    const json = display('json');
    json.shown.update(rollout());
    expect(JSON.parse(json.written.join(''))).toMatchObject({ rollout: { counts: { targeted: 12 } } });
  });
});

describe('the progress of a rollout on a terminal', () => {
  it('is one block: what, how far, where from, the slowest hosts, and how to stop watching', () => {
    const { written, shown } = display('bar');
    shown.update(rollout({ succeeded: 6, failed: 1, running: 2, pending: 3 }), {
      hosts: [host('gpu-1', 430)],
      sources: [source('ipfs', 250), source('huggingface', 500), source('ipfs', 250), source('bundled', 0)],
    });
    expect(written.join('').split('\n')).toEqual([
      'whisper@1 → 12 hosts · wave half (2 of 3)',
      `[${'█'.repeat(20)}xxx▒▒▒▒▒▒▒${'·'.repeat(10)}] 7/12`,
      ' 58% | 6 ok · 2 running · 3 queued · 1 failed',
      'from ipfs 50% · huggingface 50%',
      '  gpu-1  downloading  43%  2.00 kB/s',
      'Ctrl-C stops watching; the rollout goes on',
      '',
    ]);
  });

  it('is drawn in place of the block before, and a line that is said stays above it', () => {
    const { written, shown } = display('bar');
    shown.update(rollout());
    shown.say('FAILED host gpu-1');
    shown.update(rollout());
    shown.end();
    expect(written[1]).toBe('\u001b[4A\u001b[0J');
    expect(written[2]).toBe('FAILED host gpu-1\n');
    expect(written.at(-1)).toBe('\u001b[4A\u001b[0J');
  });

  it('never wraps, never scrolls, and shows messages of hosts that would steer the terminal as text', () => {
    const { written, shown } = display('bar', {}, { columns: 40, rows: 7 });
    const hosts = Array.from({ length: 5 }, (_, index) =>
      host(`gpu-${index}`, 1, '\u001b[2J\u0007 a long message of a hostile source'),
    );
    shown.update(rollout(), { hosts, sources: [] });
    const lines = written[0]!.trimEnd().split('\n');
    expect(lines).toHaveLength(5);
    for (const line of lines) expect(line.length).toBeLessThan(40);
    // eslint-disable-next-line no-control-regex -- they are what must not be there
    expect(written[0]).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/);
  });

  it('has signs of ASCII with NO_COLOR', () => {
    const { written, shown } = display('bar', { NO_COLOR: '1' });
    shown.update(rollout({ succeeded: 6, running: 3, pending: 3 }));
    expect(written.join('')).toContain(`[${'#'.repeat(20)}${'='.repeat(10)}${'.'.repeat(10)}] 6/12`);
  });
});

describe('the lines of a rollout', () => {
  it('count one host, one file and one failure as one', () => {
    const one = rollout({ targeted: 1 }, { threshold: { percent: 100, required: 1, allowedFailures: 0, met: false } });
    expect(headLines(one, 'url').slice(0, 2)).toEqual([
      'rollout e7ab4d40-0000-4000-8000-000000000000: whisper@1 (1 file, 1.00 kB) → 1 host matching gpu=true',
      'threshold 100% = at least 1 host; fails after 1 failure; deadline 1h 00m',
    ]);
  });

  it.each([
    [900, '1 s'],
    [100, '9 s'],
    [10, '1m 30s'],
  ])('have a whole number of seconds left at %i bytes a second', (perSecond, eta) => {
    const moving = rollout({ running: 1 }, { bytes: { done: 100, total: 1000, perSecond } });
    expect(progressLine(moving)).toMatch(new RegExp(`\\| eta ${eta}$`));
  });

  it('say the state once, in words, where it is not running', () => {
    const waits = rollout({}, { state: 'awaiting_approval', message: 'nobody approved it yet' });
    expect(stateLine(waits)).toBe('awaiting approval: nobody approved it yet');
    expect(progressLine(waits)).toBe(`${hostsLine(waits)} | ${stateLine(waits)}`);
    expect(progressLine(rollout())).toBe(hostsLine(rollout()));
  });
});
