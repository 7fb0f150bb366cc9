import { describe, expect, it } from '@jest/globals';
import { SourceHealth } from '#sources/guards/source-health';
import {
  failuresOf,
  fileOf,
  LEAF_BYTES,
  leafRange,
  obtaining,
  PLAIN,
  rangesOf,
  testFile,
} from '../helpers/obtaining.ts';
import { expectNoLeaks } from '../helpers/leaks.ts';
import type { Fault } from '../helpers/origin/origin-fault.ts';

expectNoLeaks();
const bench = obtaining();
const file = await testFile();
const SIZE = file.bytes.length;
const LAST = file.table.count - 1;

describe('a body that is shorter or longer than promised', () => {
  it.each<[string, Fault | readonly Fault[], number]>([
    ['B01 HR20 it is cut in the eighth leaf', { do: 'cut', afterBytes: 7 * LEAF_BYTES + 5 }, 7],
    [
      'B02 a chunked body breaks off',
      [{ do: 'chunked' }, { do: 'cut', afterBytes: 7 * LEAF_BYTES + 5 }] satisfies Fault[],
      7,
    ],
    [
      'B01 HR21 a body until close ends early',
      [{ do: 'no-length' }, { do: 'cut', afterBytes: 7 * LEAF_BYTES + 5 }] satisfies Fault[],
      7,
    ],
    ['B04 one byte is missing', { do: 'cut', afterBytes: SIZE - 1 }, LAST],
  ])('%s: every whole leaf is kept, the rest is asked for', async (_, fault, kept) => {
    const origin = await bench.faulty(file, fault, 1);
    const run = await bench.obtain({ file, gateways: [origin] });
    expect(failuresOf(run)).toEqual(['interrupted']);
    expect(rangesOf(origin)).toEqual([leafRange(file, 0, LAST), leafRange(file, kept, LAST)]);
    expect(run.result?.wastedBytes).toBeLessThan(LEAF_BYTES);
  });

  it('B06 HR23 stops an endless body at the promised length', async () => {
    const origin = await bench.faulty(file, { do: 'endless' });
    const run = await bench.obtain({ file, mirrors: [origin] });
    expect(run.result).toMatchObject({ wastedBytes: 0 });
    expect(origin.requests[0]!.bytesSent).toBeLessThan(SIZE + 32 * 1024 * 1024);
  });

  it('B17 refuses an empty 200 and asks the next source', async () => {
    const [empty, good] = [await bench.faulty(file, { do: 'empty' }), await bench.origin(file.served)];
    const run = await bench.obtain({ file, mirrors: [empty, good] });
    expect(failuresOf(run)).toEqual(['size-mismatch']);
    expect(empty.requests).toHaveLength(1);
  });

  it('B18 HR18 takes a file of zero bytes from a mirror, and from its CID without a request', async () => {
    const nothing = await fileOf(Buffer.alloc(0));
    const origin = await bench.origin(nothing.served);
    expect((await bench.obtain({ file: nothing, mirrors: [origin] })).result).toMatchObject({ sizeBytes: 0 });
    const before = origin.requests.length;
    const identity = { cid: 'bafkqaaa' };
    const byCid = await bench.obtain({ file: nothing, gateways: [origin], identity });
    expect(byCid.result).toMatchObject({ sizeBytes: 0, verified: 'leaves' });
    expect(origin.requests).toHaveLength(before);
  });
});

describe('a body of other bytes', () => {
  it('B10 E05 drops exactly the leaf with the flipped bit and fetches it elsewhere', async () => {
    const liar = await bench.faulty(file, { do: 'flip', atByte: 5 * LEAF_BYTES + 9 });
    const good = await bench.origin(file.served, [{ do: 'none' }], {
      rules: [{ path: PLAIN, times: 1, fault: { do: 'delay', ms: 30 } }],
    });
    const run = await bench.obtain({ file, gateways: [liar], mirrors: [good] });
    expect(rangesOf(good)).toEqual([leafRange(file, 5, 5)]);
    expect(run.result).toMatchObject({ badLeaves: 1, wastedBytes: LEAF_BYTES, outcome: 'secondary_success' });
  });

  it('B11 drops the leaves of a zero-filled tail', async () => {
    const fromByte = file.table.starts[LAST - 1]! + 1;
    const padded = await bench.faulty(file, { do: 'zero-tail', fromByte });
    const good = await bench.origin(file.served);
    const run = await bench.obtain({ file, gateways: [padded], mirrors: [good] });
    expect(rangesOf(good)).toEqual([leafRange(file, LAST - 1, LAST)]);
    expect(run.result).toMatchObject({ badLeaves: 2, wastedBytes: LEAF_BYTES + 777 });
  });

  it('B12 E05 drops a source at its third bad leaf, and pauses the gateway for an hour', async () => {
    const health = new SourceHealth();
    const [liar, good] = [await bench.faulty(file, { do: 'other-bytes' }), await bench.origin(file.served)];
    const run = await bench.obtain({ file, gateways: [liar], mirrors: [good], health });
    expect(rangesOf(liar)).toHaveLength(1);
    expect(failuresOf(run)).toEqual(['digest-mismatch']);
    expect(run.result).toMatchObject({ badLeaves: 3, wastedBytes: 3 * LEAF_BYTES });
    const { waitMs } = health.snapshot().find(({ origin }) => origin === liar.url)!;
    expect(waitMs).toBeGreaterThan(59 * 60_000);
  });

  it('B12 F10 convicts a source by the whole digest where no leaf proves anything', async () => {
    const [liar, good] = [await bench.faulty(file, { do: 'other-bytes' }), await bench.origin(file.served)];
    const run = await bench.obtain({ file, mirrors: [liar, good] });
    expect(run.result).toMatchObject({ verified: 'digest', wastedBytes: SIZE });
    expect(run.result?.sources[0]).toMatchObject({ bytes: 0, leftBecause: 'it sent corrupt bytes' });
  });

  it.each<[string, string]>([
    ['B16 line endings', 'one\r\ntwo\r\n'],
    ['B16 a byte order mark', '\ufeffone\ntwo\n'],
  ])('%s changed: caught by the digest, also when the size is unknown', async (_, text) => {
    const right = await fileOf(Buffer.from('one\ntwo\n'));
    const changed = await bench.origin({ files: { [right.name]: Buffer.from(text) } });
    const good = await bench.origin(right.served);
    const run = await bench.obtain({ file: right, mirrors: [changed, good], identity: { sizeBytes: undefined } });
    expect(run.result?.sources[0]).toMatchObject({ leftBecause: 'it sent corrupt bytes' });
  });
});

describe('a body in disguise', () => {
  it.each<[string, number]>([
    ['B07 HR24 gzip of the whole', 0],
    ['B09 HR24 a range of a gzip stream', 10 * LEAF_BYTES],
  ])('%s is refused, never decoded', async (_, have) => {
    if (have > 0) await bench.interruptedAt(have, { file, mirrors: [''] });
    const [zipped, good] = [await bench.faulty(file, { do: 'gzip' }), await bench.origin(file.served)];
    const run = await bench.obtain({ file, mirrors: [zipped, good] });
    expect(failuresOf(run)).toEqual(['range-refused']);
    expect(run.result).toMatchObject({ wastedBytes: 0, resumedBytes: have });
    for (const { headers } of zipped.requests) expect(headers['accept-encoding']).toBe('identity');
  });

  it('B13 E04 HR28 refuses a web page by its type, drops the gateway and lets it cool down for ten minutes', async () => {
    const health = new SourceHealth();
    const [portal, good] = [await bench.faulty(file, { do: 'html' }), await bench.origin(file.served)];
    const run = await bench.obtain({ file, gateways: [portal, good], health });
    expect(failuresOf(run)).toEqual(['bad-response']);
    expect(rangesOf(portal)).toHaveLength(1);
    expect(run.result).toMatchObject({ badLeaves: 0, wastedBytes: 0 });
    const { waitMs } = health.snapshot().find(({ origin }) => origin === portal.url)!;
    expect(waitMs).toBeGreaterThan(9 * 60_000);
  });

  it('B13 E04 knows a web page that calls itself bytes by how it begins, and lets the gateway cool down as well', async () => {
    const health = new SourceHealth();
    const page = Buffer.alloc(SIZE, '\n<!DOCTYPE html><title>Sign in</title>');
    const portal = await bench.origin({ ...file.served, ipfs: { [file.cid]: page } });
    const good = await bench.origin(file.served);
    const run = await bench.obtain({ file, gateways: [portal, good], health });
    expect(failuresOf(run)).toEqual(['bad-response']);
    expect(rangesOf(portal)).toHaveLength(1);
    expect(run.result).toMatchObject({ outcome: 'primary_success', badLeaves: 1 });
    const { waitMs } = health.snapshot().find(({ origin }) => origin === portal.url)!;
    expect(waitMs).toBeGreaterThan(9 * 60_000);
    expect(waitMs).toBeLessThanOrEqual(10 * 60_000);
    const asked = portal.requests.length;
    const partialPath = `${run.partialPath}.again`;
    await bench.obtain({ file, gateways: [portal, good], health, options: { partialPath } });
    expect(portal.requests).toHaveLength(asked);
  });

  it.each<[string, Fault, RegExp]>([
    ['B14 a JSON error', { do: 'json-error' }, /JSON/],
    ['B15 HR30 a Git LFS pointer', { do: 'lfs-pointer' }, /Git LFS pointer/],
  ])('%s with status 200 is refused and named', async (_, fault, message) => {
    const identity = { sizeBytes: undefined };
    const origin = await bench.faulty(file, fault);
    const run = await bench.obtain({ file, mirrors: [origin], identity });
    expect(run.error).toMatchObject({ name: 'ExhaustedError', mayPass: false });
    expect(String(run.error)).toMatch(message);
  });
});
