import { describe, expect, it } from '@jest/globals';
import { SourceHealth } from '#sources/guards/source-health';
import {
  failuresOf,
  damage,
  LEAF_BYTES,
  leafRange,
  obtaining,
  rangesOf,
  testFile,
  type ObtainRequest,
} from '../helpers/obtaining.ts';
import type { Fault } from '../helpers/origin/origin-fault.ts';
import { expectNoLeaks } from '../helpers/leaks.ts';
import { QUICK_BUDGETS } from '../helpers/transfer-kit.ts';

expectNoLeaks();
const bench = obtaining();
const file = await testFile();
const SIZE = file.bytes.length;
const HALF = 10 * LEAF_BYTES;
const REST = `bytes=${HALF}-${SIZE - 1}`;

/** Half of the file is there; the first mirror is asked for the rest and suffers the fault, the second is honest. */
async function secondHalf(fault: Fault | readonly Fault[], more: Partial<ObtainRequest> = {}, times?: number) {
  await bench.interruptedAt(HALF, { file, mirrors: [''] });
  const [bad, good] = [await bench.faulty(file, fault, times), await bench.origin(file.served)];
  const run = await bench.obtain({ file, mirrors: [bad, good], ...more });
  return { run, bad, good };
}

describe('an answer that is not what was asked for', () => {
  it.each<[string, Fault, string]>([
    ['A07 HR12 another total', { do: 'wrong-total', total: SIZE + 1 }, 'size-mismatch'],
    ['A12 HR17 416 with a smaller total', { do: 'range-not-satisfiable', total: HALF }, 'size-mismatch'],
    ['A24 HR29 304 without a condition', { do: 'status', status: 304 }, 'bad-response'],
    ['A25 HR27 204', { do: 'status', status: 204 }, 'bad-response'],
    ['A25 HR27 201', { do: 'status', status: 201 }, 'bad-response'],
    ['A27 418', { do: 'status', status: 418 }, 'bad-response'],
    ['A27 451', { do: 'status', status: 451 }, 'missing'],
    ['A14 412 although nothing was conditional', { do: 'status', status: 412 }, 'bad-response'],
  ])('%s: the source is dropped before a byte of it counts', async (_, fault, kind) => {
    const { run, bad, good } = await secondHalf(fault);
    expect(failuresOf(run)).toEqual([kind]);
    expect(rangesOf(bad)).toEqual([REST]);
    expect(rangesOf(good)).toEqual([REST]);
    expect(run.result).toMatchObject({ resumedBytes: HALF, wastedBytes: 0, outcome: 'secondary_success' });
    expect(bad.requests.some(({ headers }) => 'if-match' in headers)).toBe(false);
  });

  it('A06 HR11 refuses a part that ends beyond the request', async () => {
    await bench.allBut([4, 5], file);
    const [bad, good] = [await bench.faulty(file, { do: 'end-beyond', by: 9 }), await bench.origin(file.served)];
    const run = await bench.obtain({ file, gateways: [bad, good] });
    expect(failuresOf(run)).toEqual(['range-refused']);
    expect(rangesOf(bad)).toEqual([leafRange(file, 4, 5)]);
    expect(run.result).toMatchObject({ wastedBytes: 0 });
  });

  it.each<[string, Fault]>([
    ['A02 HR8 no Content-Range', { do: 'no-content-range' }],
    ['A09 HR14 last before first', { do: 'last-before-first' }],
    ['A10 HR15 multipart/byteranges', { do: 'multipart' }],
    ['A13 416 without Content-Range', { do: 'range-not-satisfiable', total: 'none' }],
    ['A13 416 to a range inside the file', { do: 'range-not-satisfiable' }],
  ])('%s: the source counts as one without ranges, another one continues', async (_, fault) => {
    const { run, bad, good } = await secondHalf(fault);
    expect(failuresOf(run)).toEqual(['range-refused']);
    expect([rangesOf(bad), rangesOf(good)]).toEqual([[REST], [REST]]);
    expect(run.result?.sources[0]).toMatchObject({ mode: 'stream', bytes: 0, wastedBytes: 0 });
  });

  it('A03 HR9 another start: asked once more over another connection, then as the others', async () => {
    const { run, bad, good } = await secondHalf({ do: 'wrong-start', by: 3 });
    expect(failuresOf(run)).toEqual(['range-refused']);
    expect([rangesOf(bad), rangesOf(good)]).toEqual([[REST, REST], [REST]]);
    expect(bad.connections()).toBe(2);
    expect(run.result?.sources[0]).toMatchObject({ mode: 'stream', bytes: 0, wastedBytes: 0 });
  });

  it('A03 HR9 another start only once: the source continues without a failure', async () => {
    const { run, bad, good } = await secondHalf({ do: 'wrong-start', by: 3 }, {}, 1);
    expect(failuresOf(run)).toEqual([]);
    expect([rangesOf(bad), rangesOf(good)]).toEqual([[REST, REST], []]);
    expect(run.result).toMatchObject({ resumedBytes: HALF, wastedBytes: 0 });
  });

  it('A27 507 is a server error: it is asked again, and after three times no more', async () => {
    const bad = await bench.faulty(file, { do: 'status', status: 507 });
    const run = await bench.obtain({ file, mirrors: [bad] });
    expect(failuresOf(run)).toEqual(['server-error', 'server-error', 'server-error']);
    expect(run.error).toMatchObject({ name: 'ExhaustedError', mayPass: true });
  });
});

describe('a source that does not range', () => {
  it('A01 HR7 takes 200 at offset 0 as it is', async () => {
    const origin = await bench.faulty(file, { do: 'ignore-range' });
    const run = await bench.obtain({ file, mirrors: [origin] });
    expect(origin.requests).toHaveLength(1);
    expect(run.result).toMatchObject({ wastedBytes: 0, resumedBytes: 0 });
  });

  it('A01 HR7 refuses 200 elsewhere, then takes the whole from its start and keeps what was there', async () => {
    await bench.interruptedAt(HALF, { file, mirrors: [''] });
    const origin = await bench.faulty(file, { do: 'ignore-range' });
    const run = await bench.obtain({ file, mirrors: [origin] });
    expect(rangesOf(origin)).toEqual([REST, undefined]);
    expect(failuresOf(run)).toEqual(['range-refused']);
    expect(run.result).toMatchObject({ resumedBytes: HALF, wastedBytes: HALF });
  });
});

describe('a source whose validator differs from answer to answer', () => {
  const cut: Fault = { do: 'cut', afterBytes: HALF };

  it.each<[string, Fault]>([
    ['another ETag', { do: 'change-etag' }],
    ['another date', { do: 'headers', set: { 'last-modified': 'Fri, 02 Jan 2026 00:00:00 GMT' } }],
    ['no validator', { do: 'headers', set: { etag: null, 'last-modified': null } }],
  ])('B24 HR5 %s: the digest decides, no range depends on it, and nothing is fetched twice', async (_, other) => {
    const origin = await bench.origin(file.served, [
      { do: 'cut', afterBytes: 5 * LEAF_BYTES },
      [other, cut],
      cut,
      other,
    ]);
    const run = await bench.obtain({ file, mirrors: [origin] });
    expect(run.result).toMatchObject({ verified: 'digest', wastedBytes: 0 });
    expect(origin.requests.some(({ headers }) => 'if-range' in headers)).toBe(false);
    expect(failuresOf(run).every((kind) => kind === 'interrupted')).toBe(true);
  });

  it('B24 HR5 so it does when the download is resumed', async () => {
    await bench.interruptedAt(HALF, { file, mirrors: [''] });
    const origin = await bench.faulty(file, { do: 'change-etag' });
    const run = await bench.obtain({ file, mirrors: [origin] });
    expect(rangesOf(origin)).toEqual([REST]);
    expect(run.result).toMatchObject({ resumedBytes: HALF, wastedBytes: 0 });
  });

  it('B22 HR7 whole answers alone, the first of them broken off: the second one brings the rest', async () => {
    const origin = await bench.origin(file.served, [], {
      rules: [{ times: 1, fault: [{ do: 'ignore-range' }, cut] }, { fault: { do: 'ignore-range' } }],
    });
    const run = await bench.obtain({ file, mirrors: [origin], identity: { sizeBytes: undefined } });
    expect(run.result).toMatchObject({ verified: 'digest', wastedBytes: HALF });
    expect(rangesOf(origin)).toEqual([undefined, REST, undefined]);
  });
});

describe('an answer that is legal', () => {
  it('A05 HR10 keeps a part that ends early and asks for the rest', async () => {
    const origin = await bench.faulty(file, { do: 'end-short', by: HALF - LEAF_BYTES }, 1);
    const run = await bench.obtain({ file, mirrors: [origin] });
    expect(rangesOf(origin)).toEqual([`bytes=0-${SIZE - 1}`, `bytes=${11 * LEAF_BYTES}-${SIZE - 1}`]);
    expect(failuresOf(run)).toEqual([]);
  });

  it('A11 HR16 HR19 verifies a complete partial without a request, and is not fooled by its size', async () => {
    await bench.allBut([], file);
    const origin = await bench.faulty(file, { do: 'range-not-satisfiable' });
    const complete = await bench.obtain({ file, gateways: [origin] });
    expect(complete.result).toMatchObject({ outcome: 'primary_success', resumedBytes: SIZE });
    await damage(bench.partialPath, 7 * LEAF_BYTES);
    const good = await bench.origin(file.served);
    await bench.obtain({ file, gateways: [good] });
    expect([rangesOf(origin), rangesOf(good)]).toEqual([[], [leafRange(file, 7, 7)]]);
  });

  it('A15 HR3 never sends a weak validator, and continues because the digest proves the bytes', async () => {
    const origin = await bench.origin(file.served, [
      [{ do: 'weak-etag' }, { do: 'headers', set: { 'last-modified': null } }, { do: 'cut', afterBytes: HALF }],
    ]);
    const run = await bench.obtain({ file, mirrors: [origin] });
    expect(origin.requests).toHaveLength(2);
    expect(origin.requests.some(({ headers }) => 'if-range' in headers)).toBe(false);
    expect(run.result).toMatchObject({ wastedBytes: 0 });
  });

  it('A18 HR4 sends Last-Modified only when the answer is clearly younger', async () => {
    const now = new Date().toUTCString();
    const cut: Fault = { do: 'cut', afterBytes: HALF };
    const fresh = await bench.origin(file.served, [
      [{ do: 'headers', set: { etag: null, 'last-modified': now } }, cut],
    ]);
    await bench.obtain({ file, mirrors: [fresh] });
    expect(fresh.requests.map(({ headers }) => headers['if-range'])).toEqual([undefined, undefined]);
  });

  it('A19 HR25 uses ranges of a source that says it has none', async () => {
    const { run, bad, good } = await secondHalf({ do: 'headers', set: { 'accept-ranges': 'none' } });
    expect([rangesOf(bad), rangesOf(good)]).toEqual([[REST], []]);
    expect(failuresOf(run)).toEqual([]);
  });

  it('A20 HR26 never needs HEAD', async () => {
    const rules = [{ method: 'HEAD', fault: { do: 'status', status: 405 } }] as const;
    const origin = await bench.origin(file.served, [], { rules });
    const run = await bench.obtain({ file, gateways: [origin], hub: origin, mirrors: [origin] });
    expect(run.result).toBeDefined();
    expect(new Set(origin.requests.map(({ method }) => method))).toEqual(new Set(['GET']));
  });
});

describe('a source that asks for time', () => {
  const throttle = (headers: Record<string, string>): Fault => ({ do: 'status', status: 429, headers });

  it.each<[string, () => Fault, number]>([
    ['A28 HT2 seconds', () => throttle({ 'retry-after': '40' }), 40_000],
    ['A29 HT2 a date', () => throttle({ 'retry-after': new Date(Date.now() + 40_000).toUTCString() }), 40_000],
    ['A33 HT3 an empty bucket', () => throttle({ ratelimit: '"resolvers";r=0;t=55' }), 56_000],
  ])('%s: it is paused that long, for every transfer of the worker', async (_, fault, ms) => {
    const health = new SourceHealth();
    const { run, bad } = await secondHalf(fault(), { health });
    expect(failuresOf(run)).toEqual(['throttled']);
    expect(run.tries.find(({ failure }) => failure)).toMatchObject({ decision: 'retry-same' });
    const { waitMs } = health.snapshot().find(({ origin }) => origin === bad.url)!;
    // What has passed since the answer is gone from it.
    expect(waitMs).toBeGreaterThan(ms - 25_000);
    expect(waitMs).toBeLessThanOrEqual(ms);
    const good = await bench.origin(file.served);
    const partialPath = `${bench.partialPath}2`;
    const second = await bench.obtain({ file, mirrors: [bad, good], health, options: { partialPath } });
    expect(second.result).toBeDefined();
    expect(bad.requests).toHaveLength(1);
  });

  it('A29 HT2 waits until the date and then continues with the same source', async () => {
    const at = Math.ceil(Date.now() / 1000) * 1000 + 5_000;
    const fault = throttle({ 'retry-after': new Date(at).toUTCString() });
    const origin = await bench.faulty(file, fault, 1);
    const startedAt = performance.now();
    const run = await bench.obtain({ file, mirrors: [origin], http: { now: () => at - 120 } });
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(119);
    expect(origin.requests).toHaveLength(2);
    expect(run.result).toBeDefined();
  });

  it('A30 does not wait a day: the next source, or another attempt later', async () => {
    const origin = await bench.faulty(file, throttle({ 'retry-after': '86400' }));
    const run = await bench.obtain({ file, mirrors: [origin] });
    expect(origin.requests).toHaveLength(1);
    expect(run.error).toMatchObject({ name: 'ExhaustedError', mayPass: true });
    expect(run.tries[0]?.reason).toMatch(/longer than we wait/);
  });

  it.each(['soon', '-5', '1e3', ''])('A31 ignores Retry-After: "%s" and pauses as usual', async (value) => {
    const origin = await bench.faulty(file, throttle({ 'retry-after': value }), 1);
    const run = await bench.obtain({ file, mirrors: [origin] });
    expect(origin.requests).toHaveLength(2);
    expect(run.tries[0]).toMatchObject({ decision: 'retry-same', reason: 'throttled' });
    expect(run.result).toBeDefined();
  });

  it('A32 HT4 RE5 pauses after each 503, longer each time, and drops the source at the third in a row', async () => {
    const pauses = { ...QUICK_BUDGETS.origin, backoffBaseMs: 60, backoffMaxMs: 240 };
    const options = { budgets: { ...QUICK_BUDGETS, origin: pauses }, random: () => 0 };
    const twice = await bench.faulty(file, { do: 'status', status: 503 }, 2);
    const startedAt = performance.now();
    const run = await bench.obtain({ file, mirrors: [twice], options });
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(30 + 60 - 2);
    expect(twice.requests).toHaveLength(3);
    expect(run.result).toBeDefined();
    const always = await bench.faulty(file, { do: 'status', status: 503 });
    const partialPath = `${bench.partialPath}2`;
    const failed = await bench.obtain({ file, mirrors: [always], options: { ...options, partialPath } });
    expect(always.requests).toHaveLength(3);
    expect(failed.error).toMatchObject({ name: 'ExhaustedError', mayPass: true });
  });
});
