import { describe, expect, it } from '@jest/globals';
import { isSelected, parseSelector } from '#core/selector/selector';
import { csvOf } from '../../../apps/dashboard/charts/csv.ts';
import { hostFilterOf, selectorOf } from '../../../apps/dashboard/data/host-filter.ts';
import { parseLabelLines } from '../../../apps/dashboard/data/label-lines.ts';
import { nextPage } from '../../../apps/dashboard/data/next-page.ts';

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

describe('the numbers of a chart as a file', () => {
  it('hold no cell that a spreadsheet takes for a formula', () => {
    const series = [{ name: '=cmd|calc', unit: 'count' as const, values: [1.5, null] }];
    const address = csvOf({ times: ['2026-11-30T00:00:00Z', '2026-11-30T01:00:00Z'], series });
    expect(decodeURIComponent(address.slice(address.indexOf(',') + 1))).toBe(
      `"time","'=cmd|calc (count)"\r\n"2026-11-30T00:00:00Z",1.5\r\n"2026-11-30T01:00:00Z",""\r\n`,
    );
  });
});
