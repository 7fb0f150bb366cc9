import { expect, it } from '@jest/globals';
import { leafCid } from '#content/leaf/leaf-block';
import { KIB, MIB } from '#core/units';
import { obtaining, PLAIN, rangesOf, testFile } from '../helpers/obtaining.ts';
import type { Origin } from '../helpers/origin/origin.ts';
import { expectNoLeaks } from '../helpers/leaks.ts';

expectNoLeaks();
const bench = obtaining();
const LEAF = 256 * KIB;
/** Gateways are named by their host, mirrors by their URL without its scheme. */
const isOf = (source: string, { url }: Origin): boolean => `http://${source}`.startsWith(url);
const NOT_HERE = { fault: { do: 'status', status: 404 } } as const;
const file = await testFile(36 * MIB + 777, { chunkBytes: LEAF });

it('B10 E05 HR6 seven sources, one of them honest and slow: the file is identical, the waste is the corrupt leaves', async () => {
  const corrupt = Array.from({ length: 18 }, (_, i) => ({ do: 'flip', atByte: (8 * i + 3) * LEAF + 5 }) as const);
  const liar = await bench.faulty(file, corrupt);
  const truncates = await bench.faulty(file, { do: 'cut', afterBytes: 3 * LEAF + 1000 });
  const ignoresRanges = await bench.faulty(file, { do: 'ignore-range' });
  const portal = await bench.faulty(file, { do: 'html' });
  const throttles = await bench.faulty(file, { do: 'status', status: 429, headers: { 'retry-after': '0' } }, 2);
  const leaves = Array.from({ length: file.table.count }, (_, leaf) => leafCid(file.table, leaf)!);
  const lacked = leaves.slice(leaves.length / 2).map((cid) => ({ ...NOT_HERE, path: cid }));
  const parts = await bench.origin(file.served, [], { rules: [{ ...NOT_HERE, path: PLAIN }, ...lacked] });
  const honest = await bench.origin(file.served, [], { bytesPerSecond: 24e6 });
  const run = await bench.obtain({
    file,
    gateways: [liar, truncates, parts, honest],
    mirrors: [portal, throttles, ignoresRanges],
    options: { strategy: 'parallel', connections: 1 },
  });

  const { result } = run;
  expect(result).toMatchObject({ verified: 'leaves', sizeBytes: file.bytes.length });
  const lied = result!.sources.filter(({ badLeaves }) => badLeaves > 0);
  expect(lied.map(({ source }) => `http://${source}`)).toEqual([liar.url]);
  expect(result!.badLeaves).toBe(3);
  const wasteOf = (origin: Origin): number => result!.sources.find(({ source }) => isOf(source, origin))!.wastedBytes;
  expect(wasteOf(liar)).toBe(3 * LEAF);
  // Of each response that breaks off within a leaf the beginning of that leaf is lost, and nothing else.
  const cuts = run.tries.filter(({ source, failure }) => isOf(source, truncates) && failure?.kind === 'interrupted');
  expect(cuts.length).toBeGreaterThan(0);
  expect(wasteOf(truncates)).toBeGreaterThan(0);
  expect(wasteOf(truncates)).toBeLessThan(cuts.length * LEAF);
  expect(result!.wastedBytes).toBe(3 * LEAF + wasteOf(truncates));
  expect(result!.sources.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(file.bytes.length);
  const all = [liar, truncates, ignoresRanges, portal, throttles, parts, honest];
  for (const origin of all) expect(rangesOf(origin).length).toBeGreaterThan(0);
  const slow = result!.sources.find(({ source }) => `http://${source}` === honest.url);
  expect(slow).toMatchObject({ badLeaves: 0, wastedBytes: 0, leftBecause: undefined });
  expect(slow!.bytes).toBeGreaterThan(0);
  const some = result!.sources.find(({ source }) => `http://${source}` === parts.url);
  expect(some).toMatchObject({ mode: 'blocks', errors: 0, wastedBytes: 0 });
  expect(some!.bytes).toBeGreaterThan(0);
});
