import { describe, expect, it } from '@jest/globals';
import { isSelected, parseSelector } from '#core/selector/selector';
import type { AuditEntry } from '#contracts/http/access/audit';
import type { Chart, MetricChart } from '#contracts/http/metrics';
import { csvOf } from '../../../apps/dashboard/charts/csv.ts';
import { meanOf, wholeBefore, wholeOf } from '../../../apps/dashboard/charts/period-before.ts';
import { auditFile } from '../../../apps/dashboard/data/export/audit-export.ts';
import { hostFilterOf, selectorOf } from '../../../apps/dashboard/data/forms/host-filter.ts';
import { parseLabelChanges, parseLabelLines } from '../../../apps/dashboard/data/forms/label-lines.ts';
import { nextPage } from '../../../apps/dashboard/data/session/next-page.ts';

describe('the page that follows after signing in', () => {
  const origin = 'https://haulier.example';
  it.each(['/', '/rollouts/1?tab=errors#x', '/admin/queues'])('is "%s" when it is one of ours', (next) => {
    expect(nextPage(next, origin)).toBe(next);
  });
  it.each([
    null,
    '',
    'https://evil.example',
    '//evil.example',
    '/\\evil.example',
    '/\t/evil.example',
    'rollouts',
    '/login',
  ])('T33 is the overview for %j', (next) => {
    expect(nextPage(next, origin)).toBeUndefined();
  });
});

describe('labels that hosts are filtered by', () => {
  it('mean one of the values of a label, and all of the labels', () => {
    const conditions = parseSelector(selectorOf(['site=eu-1', 'gpu=true', 'site=us-1']));
    const matches = (labels: Record<string, string>) => isSelected(conditions, { name: 'a', labels });
    expect(matches({ site: 'eu-1', gpu: 'true' })).toBe(true);
    expect(matches({ site: 'us-1', gpu: 'true' })).toBe(true);
    expect(matches({ site: 'ap-1', gpu: 'true' })).toBe(false);
    expect(matches({ site: 'eu-1' })).toBe(false);
  });
  it('are read from the address, without what no filter knows', () => {
    const query = new URLSearchParams('label=site=eu-1&status=asleep&q=gpu&disk=low');
    expect(hostFilterOf(query)).toEqual({
      selector: 'site=eu-1',
      status: undefined,
      version: undefined,
      disk: 'low',
      q: 'gpu',
    });
  });
});

describe('labels that are typed', () => {
  it('are one a line, without the spaces around them', () => {
    expect(parseLabelLines(' site = eu-1\n\ngpu=true\nempty=')).toEqual({ site: 'eu-1', gpu: 'true', empty: '' });
  });
  it('are refused with the line that is none', () => {
    expect(() => parseLabelLines('gpu')).toThrow('"gpu" is no label: write key=value');
  });
});

describe('changes of labels that are typed', () => {
  it('set what has a value, and take away what begins with a minus', () => {
    expect(parseLabelChanges('ring=canary\n - team\n\n-a.example/b')).toEqual({
      ring: 'canary',
      team: null,
      'a.example/b': null,
    });
    expect(() => parseLabelChanges('ring')).toThrow('"ring" is no label: write key=value');
  });
});

describe('the numbers of a chart as a file', () => {
  it('hold no cell that a spreadsheet takes for a formula', () => {
    const series = [{ name: '=cmd|calc', unit: 'count' as const, values: [1.5, null] }];
    const address = csvOf({ times: ['2026-11-30T00:00:00Z', '2026-11-30T01:00:00Z'], series });
    expect(decodeURIComponent(address.slice(address.indexOf(',') + 1))).toBe(
      `"time","'=cmd|calc (count)"\r\n"2026-11-30T00:00:00Z",1.5\r\n"2026-11-30T01:00:00Z",""\r\n`,
    );
  });
});

describe('the audit as a file', () => {
  const entry = (sequence: number, more: object = {}): AuditEntry => ({
    ...{ sequence, at: '2026-11-30T00:00:00.000Z', requestId: null, tokenId: null, userId: null, actor: 'ada' },
    ...{ action: 'drainHost', method: 'POST', path: '/api/hosts/a/drain', target: 'hosts/a', ip: null },
    ...{ request: null, before: null, after: null, status: 200, result: 'done' },
    ...more,
  });
  const pages = [[entry(3, { actor: '=cmd' }), entry(2, { after: { draining: true } })], [entry(1)]];
  const page = async (cursor = '0') => {
    const at = Number(cursor);
    return { entries: pages[at]!, nextCursor: at + 1 < pages.length ? String(at + 1) : null };
  };

  it('has every page, one entry a line', async () => {
    const told: number[] = [];
    const text = await (await auditFile(page, 'ndjson', (read) => told.push(read))).text();
    expect(
      text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown),
    ).toEqual(pages.flat());
    expect(told).toEqual([2, 3]);
  });
  it('is a table with a head, in which nothing is a formula', async () => {
    const lines = (await (await auditFile(page, 'csv', () => undefined)).text()).split('\r\n');
    expect(lines).toHaveLength(5);
    expect(lines[0]).toMatch(/^"sequence","at","actor","action"/);
    expect(lines[1]).toContain(`,"'=cmd","drainHost"`);
    expect(lines[2]).toContain('"{""draining"":true}"');
  });
});

describe('a chart beside the period before', () => {
  const chart = (name: MetricChart, series: Chart['series']): Chart => ({
    ...{ chart: name, since: '', until: '', stepMs: 1, times: [] },
    series,
  });
  it('is compared as the sum of what is stacked, where anything was measured', () => {
    const unit = 'count' as const;
    const now = chart('failures', [
      { name: 'a', unit, values: [1, null, 3] },
      { name: 'b', unit, values: [1, null, null] },
    ]);
    expect(wholeOf(now)).toEqual({ name: 'all', unit, values: [2, null, 3] });
    expect(meanOf(wholeOf(now)!)).toBe(2.5);
    expect(wholeOf(chart('failures', []))).toBeUndefined();
  });
  it('is compared by the series of the same name where nothing is stacked', () => {
    const series = (name: string, values: number[]) => ({ name, unit: 'ratio' as const, values });
    const now = chart('success_rate', [series('b', [1]), series('a', [0.5])]);
    const before = chart('success_rate', [series('a', [0.1]), series('b', [0.2])]);
    expect(wholeBefore(now, before)).toEqual(series('b', [0.2]));
    const times = [series('p50', [1]), series('p95', [2])];
    expect(wholeOf(chart('time_to_ready', times))?.name).toBe('p95');
  });
});
