import { describe, expect, it } from '@jest/globals';
import { formatBytes, formatDuration, parseBytes, parseDuration } from '#core/units';

describe('bytes', () => {
  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [999.6, '1.00 kB'],
    [1000, '1.00 kB'],
    [999_499, '999 kB'],
    [999_999, '1.00 MB'],
    [78_600_000, '78.6 MB'],
    [999_999_999, '1.00 GB'],
    [1_500_000_000, '1.50 GB'],
  ])('%d are shown as %s', (bytes, text) => expect(formatBytes(bytes)).toBe(text));

  it.each([
    ['64M', 64 * 1024 ** 2],
    ['1.5GiB', 1.5 * 1024 ** 3],
    ['200MB', 200_000_000],
    ['512', 512],
  ])('%s is read as %d', (text, bytes) => expect(parseBytes(text)).toBe(bytes));

  it('refuses what is no size, and shows how to write one', () => {
    expect(() => parseBytes('50 parsecs')).toThrow(
      '"50 parsecs" is not a size: write for example 64M, 1.5GiB or 200MB',
    );
  });
});

describe('durations', () => {
  it.each([
    [850, '850 ms'],
    [999.7, '1.0 s'],
    [12_400, '12.4 s'],
    [59_990, '1m 00s'],
    [185_000, '3m 05s'],
    [7_800_000, '2h 10m'],
  ])('%d ms are shown as %s', (ms, text) => expect(formatDuration(ms)).toBe(text));

  it.each([
    ['250ms', 250],
    ['30', 30_000],
    ['5m', 300_000],
    ['7d', 604_800_000],
  ])('%s is read as %d ms', (text, ms) => expect(parseDuration(text)).toBe(ms));

  it('refuses what is no duration, and shows how to write one', () => {
    expect(() => parseDuration('soon')).toThrow('"soon" is not a duration: write for example 500ms, 30s or 5m');
  });
});
