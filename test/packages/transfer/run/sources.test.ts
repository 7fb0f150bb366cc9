import { readFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createDagBuilder } from '#content/dag/dag-builder';
import { wrapLeaf, leafCid } from '#content/leaf/leaf-block';
import { SourceError } from '#core/failure';
import { KIB, MIB } from '#core/units';
import { transfer } from '#transfer/run/transfer';
import type { TransferOptions, TryRecord } from '#transfer/report/transfer-options';
import { makeDag } from '../../../helpers/dag/dag.ts';
import { fakeSource, type FakeBehaviour } from '../../../helpers/fake-source.ts';
import { bytesOf, sha256Of, tableOf, transferKit } from '../../../helpers/transfer-kit.ts';

const LEAF = 256 * KIB;
const bytes = bytesOf(12 * MIB + 777);
const table = tableOf(bytes);

let kit: Awaited<ReturnType<typeof transferKit>>;
beforeEach(async () => {
  kit = await transferKit();
});
afterEach(() => kit.remove());

const isIdentical = async () => bytes.equals(await readFile(kit.partialPath));
const blocks = new Map(
  Array.from({ length: table.count }, (_, i) => [
    leafCid(table, i)!,
    Buffer.from(wrapLeaf(table, i, bytes.subarray(table.starts[i], table.starts[i + 1]))!),
  ]),
);
/** Flips a bit of the leaf that starts at the position. */
const spoil =
  (...positions: number[]) =>
  (position: number, chunk: Uint8Array) => {
    for (const at of positions) if (at >= position && at < position + chunk.length) chunk[at - position]! ^= 1;
  };
const failures = (tries: readonly TryRecord[]) => tries.flatMap((t) => (t.failure ? [[t.source, t.failure.kind]] : []));

describe('corrupt bytes', () => {
  it('E05 B10 skips a bad leaf, continues the stream, and asks another source for that leaf only', async () => {
    const liar = fakeSource(bytes, { name: 'liar', kind: 'ipfs-gateway', corrupt: spoil(5 * LEAF + 9) });
    const honest = fakeSource(bytes, { name: 'honest' });
    const result = await transfer(kit.options([liar, honest], { table }));
    expect(await isIdentical()).toBe(true);
    expect(result).toMatchObject({ wastedBytes: LEAF, badLeaves: 1, deepestLayer: 'origin' });
    expect(honest.requests).toMatchObject([{ range: { start: 5 * LEAF, end: 6 * LEAF } }]);
  });

  it('drops a source at its third bad leaf', async () => {
    const liar = fakeSource(bytes, { name: 'liar', corrupt: (_, chunk) => chunk.fill(1) });
    const honest = fakeSource(bytes, { name: 'honest', kind: 'bundle' });
    const result = await transfer(kit.options([liar, honest], { table }));
    expect(await isIdentical()).toBe(true);
    expect(result).toMatchObject({ wastedBytes: 3 * LEAF, badLeaves: 3 });
    expect(result.sources[0]).toMatchObject({ source: 'liar', bytes: 0, leftBecause: 'it sent corrupt bytes' });
    expect(failures(result.tries)).toEqual([['liar', 'digest-mismatch']]);
  });

  it('E05 drops a source at its second bad leaf when that is more than 2 % of 50 leaves, within one stream', async () => {
    const many = bytesOf(60 * 64 * KIB);
    const small = (await makeDag(many, { chunkBytes: 64 * KIB })).table;
    const corrupt = spoil(10 * 64 * KIB, 52 * 64 * KIB, 58 * 64 * KIB);
    const liar = fakeSource(many, { name: 'liar', kind: 'ipfs-gateway', corrupt });
    const honest = fakeSource(many, { name: 'honest' });
    const result = await transfer(kit.options([liar, honest], { table: small, connections: 1 }));
    expect(liar.requests).toHaveLength(1);
    expect(result.sources[0]).toMatchObject({ badLeaves: 2, leftBecause: 'it sent corrupt bytes' });
    expect(many.equals(await readFile(kit.partialPath))).toBe(true);
  });

  it('LEAF_UNOBTAINABLE names a leaf that three different sources send wrong', async () => {
    const corrupt = spoil(2 * LEAF + 1);
    const sources = ['a', 'b', 'c', 'd'].map((name) => fakeSource(bytes, { name, corrupt }));
    await expect(transfer(kit.options(sources, { table }))).rejects.toMatchObject({
      name: 'VerifyError',
      kind: 'leaf-unobtainable',
      leafIndex: 2,
      message: expect.stringContaining(leafCid(table, 2)!),
    });
  });

  it('E04 B13 reports a web page as a web page, not as corrupt leaves', async () => {
    const page = Buffer.alloc(bytes.length, '  <!DOCTYPE html><p>sign in</p>');
    const portal = fakeSource(page, { name: 'portal' });
    const honest = fakeSource(bytes, { name: 'honest', kind: 'peer' });
    const result = await transfer(kit.options([portal, honest], { table }));
    expect(failures(result.tries)).toEqual([['portal', 'bad-response']]);
    expect(await isIdentical()).toBe(true);
  });

  it('reports that the DAG and the manifest describe different files', async () => {
    const digests = { sha256: sha256Of(Buffer.from('another')) };
    await expect(transfer(kit.options([fakeSource(bytes)], { table, file: { digests } }))).rejects.toMatchObject({
      kind: 'wrong-digest',
    });
  });
});

describe('seven sources', () => {
  it('mixes one honest slow source with six bad ones; the file is identical and the waste is the corrupt leaves', async () => {
    const MB = 1024 * KIB;
    const sources = [
      fakeSource(bytes, { name: 'liar', corrupt: (_, chunk) => chunk.fill(7) }),
      fakeSource(bytes, { name: 'truncates', prefixBytes: 2 * LEAF, kind: 'mirror' }),
      fakeSource(bytes, { name: 'ignores-ranges', ranges: false }),
      fakeSource(Buffer.alloc(bytes.length, '<html>captcha'), { name: 'web-page' }),
      fakeSource(bytes, {
        name: 'throttles',
        failRead: (n) => (n % 2 === 0 ? new SourceError('throttled', 'throttles', '429', { retryAfterMs: 5 }) : null),
      }),
      fakeSource(bytes, { name: 'parts', kind: 'peer', holds: [{ start: 8 * LEAF, end: 16 * LEAF }] }),
      fakeSource(bytes, { name: 'honest', kind: 'ipfs-gateway', bytesPerSecond: 24 * MB }),
    ];
    const result = await transfer(kit.options(sources, { table, strategy: 'parallel' }));
    expect(await isIdentical()).toBe(true);
    const guilty = result.sources.filter((source) => source.badLeaves > 0);
    expect(guilty.map((source) => source.source).sort()).toEqual(['liar', 'web-page']);
    for (const source of result.sources) {
      expect(source.wastedBytes).toBeGreaterThan((source.badLeaves - 1) * LEAF);
      expect(source.wastedBytes).toBeLessThanOrEqual(source.badLeaves * LEAF);
    }
    const total = result.sources.reduce((sum, source) => sum + source.bytes, 0);
    expect(total).toBe(bytes.length);
  });
});

describe('sources that fail', () => {
  it('RE5 CH1 asks a source three times with growing pauses, then the next layer', async () => {
    const dead = fakeSource(bytes, { name: 'dead', kind: 'ipfs-gateway', failRead: () => 'timed-out' });
    const result = await transfer(kit.options([dead, fakeSource(bytes, { name: 'hub' })], { table }));
    expect(dead.requests).toHaveLength(3);
    expect(result.deepestLayer).toBe('origin');
    expect(result.tries.slice(0, 3).map((t) => t.decision)).toEqual(['retry-same', 'retry-same', 'next-source']);
  });

  it('RE7 continues at another gateway at once, at the same offset', async () => {
    const flaky = fakeSource(bytes, { name: 'flaky', cutAfterBytes: 6 * LEAF, kind: 'ipfs-gateway' });
    const steady = fakeSource(bytes, { name: 'steady', kind: 'ipfs-gateway' });
    const result = await transfer(kit.options([flaky, steady], { table, connections: 1 }));
    expect(await isIdentical()).toBe(true);
    expect(result.wastedBytes).toBe(0);
    expect(steady.requests.length).toBeGreaterThan(0);
  });

  it('C10 survives a source that resets every few leaves', async () => {
    const source = fakeSource(bytes, { cutAfterBytes: 4 * LEAF + 5 });
    const result = await transfer(kit.options([source], { table }));
    expect(await isIdentical()).toBe(true);
    expect(result.sources[0]!.errors).toBe(12);
  });

  it('CH7 names every source and why when all layers are exhausted', async () => {
    const gone = fakeSource(bytes, { name: 'gone', kind: 'ipfs-gateway', failRead: () => 'missing' });
    const busy = fakeSource(bytes, { name: 'busy', failRead: () => 'server-error' });
    const failed = transfer(kit.options([gone, busy], { table }));
    await expect(failed).rejects.toMatchObject({
      name: 'ExhaustedError',
      mayPass: true,
      failures: [
        { source: 'gone', kind: 'missing', count: 1 },
        { source: 'busy', kind: 'server-error', count: 3 },
      ],
    });
  });

  it('E15 fails at once when no source is configured', async () => {
    await expect(transfer(kit.options([], { table }))).rejects.toMatchObject({
      name: 'ExhaustedError',
      mayPass: false,
    });
  });

  it('waits as long as a throttling source asks', async () => {
    const source = fakeSource(bytes, {
      failRead: (n) => (n === 0 ? new SourceError('throttled', 'fake', '429', { retryAfterMs: 40 }) : null),
    });
    const startedAt = performance.now();
    await transfer(kit.options([source], { table }));
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(39);
  });

  it('does not repeat a request without bytes for ever', async () => {
    const empty = fakeSource(bytes, { prefixBytes: 0 });
    await expect(transfer(kit.options([empty], { table }))).rejects.toMatchObject({ name: 'ExhaustedError' });
  });

  it('ordered: asks no source of the next layer while the first can continue', async () => {
    const gateway = fakeSource(bytes, { name: 'gateway', kind: 'ipfs-gateway' });
    const hub = fakeSource(bytes, { name: 'hub' });
    await transfer(kit.options([hub, gateway], { table }));
    expect(hub.requests).toEqual([]);
  });

  it('ME5 asks the healthier source first and says why', async () => {
    const first = fakeSource(bytes.subarray(0, LEAF), { name: 'first' });
    const second = fakeSource(bytes.subarray(0, LEAF), { name: 'second' });
    const result = await transfer(
      kit.options([first, second], {
        file: { sizeBytes: LEAF, digests: {} },
        health: ({ name }) => ({ successRate: name === 'first' ? 0.3 : 1, bytesPerSecond: 1e6 }),
      }),
    );
    expect(result.tries.map((t) => t.source)).toEqual(['second']);
    expect(result.tries[0]!.rankedBecause).toContain('100 % of its tries succeed');
  });
});

describe('sources that cannot serve ranges', () => {
  const refuses: FakeBehaviour = { failRead: () => 'range-refused' };

  it('E09 falls back to raw blocks, leaf by leaf', async () => {
    const source = fakeSource(bytes, { ...refuses, blocks: (cid) => blocks.get(cid) });
    const result = await transfer(kit.options([source], { table }));
    expect(await isIdentical()).toBe(true);
    expect(result.sources[0]).toMatchObject({ mode: 'blocks', errors: 0 });
  });

  it('E07 refuses a raw block that hashes to something else', async () => {
    const other = Buffer.alloc(LEAF + 14);
    const liar = fakeSource(bytes, { name: 'liar', ...refuses, blocks: () => other });
    const honest = fakeSource(bytes, { name: 'honest', kind: 'peer' });
    const result = await transfer(kit.options([liar, honest], { table }));
    expect(await isIdentical()).toBe(true);
    expect(result.sources[0]).toMatchObject({ badLeaves: 3, bytes: 0 });
  });

  it('reads the whole file as a stream, and only for what is missing', async () => {
    const stream = fakeSource(bytes, {
      name: 'stream',
      failRead: (_, { range }) => (range === undefined ? null : 'range-refused'),
    });
    const result = await transfer(kit.options([stream], { table }));
    expect(await isIdentical()).toBe(true);
    expect(result.sources[0]!.mode).toBe('stream');
    expect(stream.requests.at(-1)).toEqual({ sizeBytes: bytes.length });
  });

  it('L06 takes from a peer the parts it holds and the rest from others', async () => {
    const peer = fakeSource(bytes, { name: 'peer', kind: 'peer', holds: [{ start: 0, end: 10 * LEAF }] });
    const hub = fakeSource(bytes, { name: 'hub' });
    const options: Partial<TransferOptions> = { table, layers: ['peer', 'origin'] };
    const result = await transfer(kit.options([peer, hub], options));
    expect(await isIdentical()).toBe(true);
    expect(result.sources[0]).toMatchObject({ source: 'peer', bytes: 10 * LEAF, errors: 0 });
    expect(result.wastedBytes).toBe(0);
  });
});

describe('several connections', () => {
  it('shares the work between sources of one layer', async () => {
    const sources = ['a', 'b', 'c'].map((name) => fakeSource(bytes, { name, bytesPerSecond: 30 * MIB }));
    const result = await transfer(kit.options(sources, { table }));
    expect(await isIdentical()).toBe(true);
    for (const source of result.sources) expect(source.bytes).toBeGreaterThan(0);
    expect(result.wastedBytes).toBe(0);
  });

  it('HT10 duplicates the rest of a crawling span and keeps the first verified bytes', async () => {
    // Its first span alone, of 4 MiB at least, would take longer than a test may.
    const crawling = fakeSource(bytes, { name: 'crawling', bytesPerSecond: 20 * KIB, chunkBytes: 4 * KIB });
    const fast = fakeSource(bytes, { name: 'fast' });
    const result = await transfer(kit.options([crawling, fast], { table }));
    expect(await isIdentical()).toBe(true);
    const bytesOfFast = result.sources.find(({ source }) => source === 'fast')!.bytes;
    expect(bytesOfFast).toBeGreaterThan(bytes.length - 2 * MIB);
    expect(result.tries.filter((t) => t.failure !== undefined)).toEqual([]);
  });
});

it('a DAG of one leaf needs no inner block', async () => {
  const builder = createDagBuilder('unixfs-v1-2025');
  builder.update(bytes.subarray(0, 1000));
  const source = fakeSource(bytes.subarray(0, 1000));
  const result = await transfer(kit.options([source], { table: builder.finish().table }));
  expect(result.sizeBytes).toBe(1000);
});
