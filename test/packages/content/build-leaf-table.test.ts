import { createHash, randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import * as dagPb from '@ipld/dag-pb';
import fc from 'fast-check';
import { UnixFS } from 'ipfs-unixfs';
import { CID } from 'multiformats/cid';
import * as Digest from 'multiformats/hashes/digest';
import { KIB, MIB } from '#core/units';
import { buildLeafTable, type LeafTableOptions } from '#content/build-leaf-table';
import { expandLeaf } from '#content/expand-leaf';
import { leafCid, unwrapLeafBlock, verifyLeaf, wrapLeaf } from '#content/leaf-block';
import type { LeafTable } from '#content/leaf-table';
import type { FetchBlock } from '#content/verified-blocks';
import { fromBlocks, makeBlock, makeBlocks, makeDag, makeDirectory, type DagLayout, type TestDag } from '../../helpers/dag.ts';

const build = (dag: TestDag, options?: LeafTableOptions) => buildLeafTable(dag.cid, fromBlocks(dag.blocks), options);

/** Counts what is asked. */
function counted(dag: TestDag): { fetch: FetchBlock; asked: string[] } {
  const asked: string[] = [];
  const inner = fromBlocks(dag.blocks);
  return { asked, fetch: (cid, request) => (asked.push(cid), inner(cid, request)) };
}

const leafOf = (table: LeafTable, file: Uint8Array, index: number) =>
  file.subarray(table.starts[index]!, table.starts[index + 1]!);

/** Every leaf of the file is proven, and no leaf accepts other bytes. */
function expectProves(table: LeafTable, file: Uint8Array): void {
  expect(table.sizeBytes).toBe(file.length);
  for (let index = 0; index < table.count; index += 1) {
    const bytes = leafOf(table, file, index);
    if (!verifyLeaf(table, index, bytes)) throw new Error(`leaf ${index} of ${table.count} is not proven`);
    const flipped = Uint8Array.from(bytes);
    flipped[flipped.length >> 1]! ^= 1;
    if (verifyLeaf(table, index, flipped)) throw new Error(`leaf ${index} accepts flipped bytes`);
  }
}

const varint = (value: bigint): number[] =>
  value < 128n ? [Number(value)] : [Number(value & 127n) | 128, ...varint(value >> 7n)];

/** A file node as an attacker would write it: any sizes, any links. */
const fileNode = (blockSizes: bigint[], links: { cid: string; tsize?: number; name?: string }[]) =>
  dagPb.encode({
    Data: Uint8Array.from([8, 2, ...blockSizes.flatMap((size) => [0x20, ...varint(size)])]),
    Links: links.map((link) => ({ Hash: CID.parse(link.cid), Name: link.name ?? '', Tsize: link.tsize ?? 0 })),
  });

const RAW = 0x55;
const PB = 0x70;
const identityCid = (bytes: Uint8Array) => CID.create(1, RAW, Digest.create(0, bytes)).toString();
const NOBODY: FetchBlock = () => Promise.reject(new Error('nothing should be asked'));

describe('buildLeafTable', () => {
  it.each<[string, DagLayout]>([
    ['raw leaves, balanced', { chunkBytes: 1000, width: 4 }],
    ['dag-pb leaves', { chunkBytes: 1000, width: 4, leaves: 'pb' }],
    ['dag-pb leaves of type Raw, trickle', { chunkBytes: 700, width: 3, leaves: 'pbRaw', layout: 'trickle' }],
    ['variable leaf lengths', { chunkBytes: [1, 300, 4096, 77], width: 5, leaves: 'pb' }],
    ['inline data in inner nodes', { chunkBytes: 512, width: 4, inlineBytes: 100 }],
    ['identity leaves', { chunkBytes: 103, width: 8, leaves: 'identity' }],
    ['Data before Links (IPIP-550)', { chunkBytes: 1000, width: 4, leaves: 'pb', dataFirst: true }],
    ['no Tsize', { chunkBytes: 1000, width: 200, tsize: 'absent' }],
    ['profile unixfs-v0-2015', { profile: 'unixfs-v0-2015', chunkBytes: 2000 }],
  ])('proves every leaf of a DAG with %s', async (_name, layout) => {
    const file = randomBytes(20_011);
    expectProves((await makeDag(file, layout)).table, file);
  });

  it('proves any layout of any file (property)', async () => {
    const layouts = fc.record({
      chunkBytes: fc.oneof(fc.integer({ min: 100, max: 3000 }), fc.array(fc.integer({ min: 50, max: 2000 }), { minLength: 1, maxLength: 5 })),
      leaves: fc.constantFrom('raw' as const, 'pb' as const, 'pbRaw' as const),
      layout: fc.constantFrom('balanced' as const, 'trickle' as const),
      width: fc.integer({ min: 2, max: 20 }),
      inlineBytes: fc.constantFrom(0, 0, 37),
      dataFirst: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(layouts, fc.integer({ min: 0, max: 30_000 }), async (layout, bytes) => {
        const file = randomBytes(bytes);
        expectProves((await makeDag(file, layout)).table, file);
      }),
      { numRuns: 60 },
    );
  });

  it('asks for inner nodes only, each once, at most eight at a time', async () => {
    const dag = makeBlocks(randomBytes(200_000), { chunkBytes: 1000, width: 5, leaves: 'pb' });
    const { fetch, asked } = counted(dag);
    let open = 0;
    let most = 0;
    const { innerBlocks } = await buildLeafTable(dag.cid, async (cid, request) => {
      most = Math.max(most, (open += 1));
      const block = await fetch(cid, request);
      open -= 1;
      return block;
    });
    expect(new Set(asked).size).toBe(asked.length);
    expect(asked.length).toBe(innerBlocks.size);
    expect(innerBlocks.size).toBe(dag.blocks.size - 200);
    expect(most).toBeLessThanOrEqual(8);
  });

  it('asks nothing when the inner blocks of an earlier run are given, and asks again for a damaged one', async () => {
    const dag = makeBlocks(randomBytes(50_000), { chunkBytes: 1000, width: 5 });
    const { innerBlocks, table } = await build(dag);
    const again = await buildLeafTable(dag.cid, NOBODY, { innerBlocks });
    expect(again.table).toEqual(table);
    const [damagedCid, block] = [...innerBlocks][3]!;
    const damaged = new Map([...innerBlocks, [damagedCid, block.slice(1)] as const]);
    const { fetch, asked } = counted(dag);
    expect((await buildLeafTable(dag.cid, fetch, { innerBlocks: damaged })).table).toEqual(table);
    expect(asked).toEqual([damagedCid]);
  });

  it('E07 refuses a block that does not hash to its CID and asks again', async () => {
    const dag = makeBlocks(randomBytes(50_000), { chunkBytes: 1000, width: 10 });
    const verdicts: boolean[] = [];
    const attempts: number[] = [];
    const lying: FetchBlock = async (cid, request) => {
      const block = dag.blocks.get(cid)!;
      const bytes = request.attempt < 3 ? Uint8Array.from(block).fill(0, 0, 1) : block;
      verdicts.push(request.verify(bytes));
      attempts.push(request.attempt);
      return bytes;
    };
    const { table } = await buildLeafTable(dag.cid, lying, { parallel: 1 });
    expect(table.count).toBe(50);
    expect(attempts.slice(0, 3)).toEqual([1, 2, 3]);
    expect(verdicts.slice(0, 3)).toEqual([false, false, true]);
  });

  it('gives a block up after three wrong answers', async () => {
    const dag = makeBlocks(randomBytes(5_000), { chunkBytes: 1000 });
    await expect(buildLeafTable(dag.cid, async () => new Uint8Array(10))).rejects.toMatchObject({ kind: 'leaf-unobtainable' });
  });

  it('passes the failure of a fetcher on, and ends the other requests', async () => {
    const dag = makeBlocks(randomBytes(50_000), { chunkBytes: 100, width: 10 });
    const ended: boolean[] = [];
    const fetch: FetchBlock = async (cid, { signal }) => {
      if (cid === dag.cid) return dag.blocks.get(cid)!;
      signal.addEventListener('abort', () => ended.push(true));
      throw new Error('the network is gone');
    };
    await expect(buildLeafTable(dag.cid, fetch)).rejects.toThrow('the network is gone');
    expect(ended.length).toBeGreaterThan(0);
  });

  it('stops when it is told to', async () => {
    const dag = makeBlocks(randomBytes(5_000), { chunkBytes: 100 });
    const reason = new Error('enough');
    await expect(build(dag, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });
});

describe('edge cases of a CID that names a file', () => {
  it('E12 takes an identity CID from itself, without a request', async () => {
    const bytes = Buffer.from('hello');
    const { table } = await buildLeafTable(identityCid(bytes), NOBODY);
    expect(table).toMatchObject({ sizeBytes: 5, count: 1 });
    expect(Buffer.from(table.known.get(0)!)).toEqual(bytes);
    expect((await buildLeafTable(identityCid(new Uint8Array(128).fill(66)), NOBODY)).table.sizeBytes).toBe(128);
    await expect(buildLeafTable(identityCid(new Uint8Array(129).fill(65)), NOBODY)).rejects.toMatchObject({ kind: 'unsupported' });
  });

  it('fetches a single raw block, whose length nobody knows, and keeps its bytes', async () => {
    const bytes = randomBytes(900);
    const dag = makeBlock(RAW, bytes);
    const { table } = await build(dag);
    expect(table).toMatchObject({ sizeBytes: 900, count: 1 });
    expect(Buffer.from(table.known.get(0)!)).toEqual(bytes);
  });

  it.each([
    ['File', new UnixFS({ type: 'file', data: Buffer.from('abc') })],
    ['Raw', new UnixFS({ type: 'raw', data: Buffer.from('abc') })],
    ['File with mode and mtime', new UnixFS({ type: 'file', data: Buffer.from('abc'), mode: 0o600, mtime: { secs: 5n, nsecs: 7 } })],
  ])('takes a single dag-pb block of type %s', async (_name, unixfs) => {
    const { table } = await build(makeBlock(PB, dagPb.encode({ Data: unixfs.marshal(), Links: [] })));
    expect(Buffer.from(table.known.get(0)!).toString()).toBe('abc');
  });

  it.each([
    'bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku',
    'QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH',
    'bafybeif7ztnhq65lumvvtr4ekcwd2ifwgm3awq4zfr3srh462rwyinlb4y',
    'bafkqaaa',
  ])('knows the empty file %s without a request', async (cid) => {
    const { table } = await buildLeafTable(cid, NOBODY);
    expect(table).toMatchObject({ sizeBytes: 0, count: 0 });
  });

  it('says that a directory is one, and how many entries it has', async () => {
    const file = makeBlock(RAW, Buffer.from('x'));
    const dag = makeDirectory([{ name: 'a', dag: file }, { name: 'b', dag: file }]);
    await expect(build(dag)).rejects.toMatchObject({ kind: 'is-directory', message: expect.stringContaining('2 entries') });
  });

  it('refuses a symbolic link', async () => {
    const unixfs = new UnixFS({ type: 'symlink', data: Buffer.from('/etc/passwd') });
    await expect(build(makeBlock(PB, dagPb.encode({ Data: unixfs.marshal(), Links: [] })))).rejects.toMatchObject({
      kind: 'unsupported',
      message: expect.stringContaining('symbolic link'),
    });
  });

  it('E11 gives one table for a version 0 CID and its version 1 forms', async () => {
    const dag = await makeDag(randomBytes(600_000), { profile: 'unixfs-v0-2015' });
    const v0 = CID.parse(dag.cid).toV0().toString();
    expect(v0).toMatch(/^Qm/);
    const { table } = await buildLeafTable(v0, fromBlocks(dag.blocks));
    expect(table).toEqual(dag.table);
  });

  it('lists duplicate leaves at each of their offsets and fetches a shared inner node once', async () => {
    const file = new Uint8Array(64 * KIB);
    const dag = makeBlocks(file, { chunkBytes: 1 * KIB, width: 8 });
    const { fetch, asked } = counted(dag);
    const { table } = await buildLeafTable(dag.cid, fetch);
    expect(table.count).toBe(64);
    expect(asked).toHaveLength(2);
    expectProves(table, file);
  });

  it.each([
    ['blake2b-256', 0xb220],
    ['blake3', 0x1e],
    ['sha2-512', 0x13],
    ['sha3-384', 0x15],
  ])('E12 proves leaves hashed with %s', async (_name, code) => {
    const { loadHash } = await import('#content/multihash');
    const { hash } = await loadHash(code);
    const file = randomBytes(20_000);
    for (const leaves of ['raw', 'pb'] as const)
      expectProves((await makeDag(file, { chunkBytes: 1500, width: 5, leaves, hash: { code, digest: hash } })).table, file);
  });
});

describe('DAGs that break the rules', () => {
  const leaf = makeBlock(RAW, randomBytes(100));
  const cases: [string, Uint8Array, string][] = [
    ['more links than block sizes', fileNode([100n], [leaf, leaf]), '2 links and 1 block sizes'],
    ['a named link', fileNode([100n], [{ ...leaf, name: 'x' }]), 'has a name'],
    ['no UnixFS data', dagPb.encode({ Links: [] }), 'no UnixFS data'],
    ['bytes that are no dag-pb', Buffer.from('<!doctype html>'), 'breaks the rules'],
    ['a negative block size', fileNode([-1n & 0xffffffffffffffffn], [leaf]), 'beyond 2^53'],
    ['block sizes beyond 2^53', fileNode([2n ** 52n, 2n ** 52n, 2n ** 52n].map((n) => n), [1, 2, 3].map(() => ({ cid: makeBlock(PB, Buffer.of(1)).cid, tsize: 2 ** 53 - 1 }))), 'beyond 2^53'],
  ];
  it.each(cases)('refuses %s for good', async (_name, block, message) => {
    await expect(build(makeBlock(PB, block))).rejects.toMatchObject({ kind: 'invalid-dag', message: expect.stringContaining(message) });
  });

  it('refuses a filesize that is not the sum of the block sizes', async () => {
    const unixfs = Buffer.from([8, 2, 0x18, 99, 0x20, 100]);
    const block = dagPb.encode({ Data: unixfs, Links: [{ Hash: CID.parse(leaf.cid), Name: '', Tsize: 100 }] });
    await expect(build(makeBlock(PB, block))).rejects.toMatchObject({ kind: 'invalid-dag' });
  });

  it('refuses a child whose size is not what its parent lists', async () => {
    const child = makeBlocks(randomBytes(5000), { chunkBytes: 1000 });
    const dag = makeBlock(PB, fileNode([5001n], [{ cid: child.cid, tsize: 6000 }]));
    await expect(build({ cid: dag.cid, blocks: new Map([...dag.blocks, ...child.blocks]) })).rejects.toMatchObject({
      kind: 'invalid-dag',
      message: expect.stringContaining('listed as 5001'),
    });
  });

  it('refuses an identity leaf whose length is not listed', async () => {
    const dag = makeBlock(PB, fileNode([4n], [{ cid: identityCid(Buffer.from('abc')) }]));
    await expect(build(dag)).rejects.toMatchObject({ kind: 'invalid-dag' });
  });

  it('refuses a leaf over 2 MiB unless it is allowed, and never one over 8 MiB', async () => {
    const dag = makeBlock(PB, fileNode([BigInt(3 * MIB)], [{ cid: leaf.cid, tsize: 3 * MIB }]));
    await expect(build(dag)).rejects.toMatchObject({ kind: 'unsupported', message: expect.stringContaining('maxBlockBytes') });
    expect((await build(dag, { maxBlockBytes: 4 * MIB })).table.count).toBe(1);
    const huge = makeBlock(PB, fileNode([BigInt(9 * MIB)], [{ cid: leaf.cid, tsize: 9 * MIB }]));
    await expect(build(huge, { maxBlockBytes: 100 * MIB })).rejects.toMatchObject({ kind: 'unsupported' });
  });

  it('tells the fetcher the longest block and refuses a longer one', async () => {
    const dag = makeBlock(RAW, randomBytes(2000));
    let told = 0;
    const fetch: FetchBlock = async (cid, { maxBytes }) => {
      told = maxBytes;
      return dag.blocks.get(cid)!;
    };
    await expect(buildLeafTable(dag.cid, fetch, { maxBlockBytes: 1999 })).rejects.toMatchObject({ kind: 'leaf-unobtainable' });
    expect(told).toBe(1999);
  });

  it('refuses a bomb of shared nodes before it allocates the leaves', async () => {
    let dag = makeBlocks(randomBytes(10), { chunkBytes: 10, inlineBytes: 1 });
    let sizeBytes = 10n;
    const blocks = new Map(dag.blocks);
    for (let level = 0; level < 5; level += 1) {
      dag = makeBlock(PB, fileNode(Array<bigint>(50).fill(sizeBytes), Array(50).fill({ cid: dag.cid, tsize: Number(sizeBytes * 9n) + 100 })));
      sizeBytes *= 50n;
      for (const [cid, block] of dag.blocks) blocks.set(cid, block);
    }
    await expect(build({ cid: dag.cid, blocks })).rejects.toThrow('over the limit of 4194304');
  });

  it('refuses more than eight levels, by whatever way they are reached', async () => {
    let dag = makeBlock(PB, fileNode([100n], [{ cid: leaf.cid, tsize: 100 }]));
    const blocks = new Map(dag.blocks);
    const chain = [dag];
    for (let level = 0; level < 9; level += 1) {
      dag = makeBlock(PB, fileNode([100n], [{ cid: dag.cid, tsize: 5000 }]));
      chain.push(dag);
      blocks.set(dag.cid, dag.blocks.get(dag.cid)!);
    }
    await expect(build({ cid: dag.cid, blocks })).rejects.toMatchObject({ kind: 'invalid-dag', message: expect.stringContaining('deeper') });
    const wide = makeBlock(PB, fileNode(chain.map(() => 100n), chain.map(({ cid }) => ({ cid, tsize: 5000 }))));
    blocks.set(wide.cid, wide.blocks.get(wide.cid)!);
    await expect(build({ cid: wide.cid, blocks })).rejects.toMatchObject({ kind: 'invalid-dag', message: expect.stringContaining('deeper') });
  });

  it('refuses inner nodes over their limit, and a file over its limit at the root', async () => {
    const dag = makeBlocks(randomBytes(50_000), { chunkBytes: 100, width: 20 });
    await expect(build(dag, { maxInnerBytes: 5000 })).rejects.toMatchObject({ kind: 'unsupported' });
    const { fetch, asked } = counted(dag);
    await expect(buildLeafTable(dag.cid, fetch, { maxFileBytes: 49_999 })).rejects.toMatchObject({ kind: 'unsupported' });
    expect(asked).toEqual([dag.cid]);
  });
});

describe('a wrong guess about a leaf', () => {
  it('expands a node that its Tsize made look like a leaf', async () => {
    const file = randomBytes(9_500);
    const dag = makeBlocks(file, { chunkBytes: 1000, width: 3, tsize: 'low', leaves: 'pb' });
    let { table } = await build(dag);
    expect(table.count).toBeLessThan(10);
    for (let index = 0; index < table.count; ) {
      const block = dag.blocks.get(leafCid(table, index)!)!;
      if (unwrapLeafBlock(table, index, block).is === 'leaf') index += 1;
      else ({ table } = await expandLeaf(table, index, block, fromBlocks(dag.blocks)));
    }
    expect(table.count).toBe(10);
    expectProves(table, file);
  });

  it('remembers the frame of a leaf that carries a modification time', async () => {
    const file = randomBytes(3_000);
    const dag = makeBlocks(file, { chunkBytes: 1000, leaves: 'pbMtime', tsize: 'absent' });
    let { table } = await build(dag);
    const original = table;
    expect(verifyLeaf(table, 1, leafOf(table, file, 1))).toBe(false);
    for (let index = 0; index < 3; index += 1) {
      const block = dag.blocks.get(leafCid(table, index)!)!;
      expect(unwrapLeafBlock(table, index, block)).toEqual({ is: 'unexpected-shape' });
      ({ table } = await expandLeaf(table, index, block, NOBODY));
      expect(Buffer.from(wrapLeaf(table, index, leafOf(table, file, index))!)).toEqual(Buffer.from(block));
    }
    expectProves(table, file);
    expect(original.frames).toBeUndefined();
  });

  it('refuses to expand a raw leaf, and a node of another length than listed', async () => {
    const raw = await makeDag(randomBytes(2000), { chunkBytes: 1000 });
    await expect(expandLeaf(raw.table, 0, new Uint8Array(0), NOBODY)).rejects.toBeInstanceOf(RangeError);
    const child = makeBlocks(randomBytes(5000), { chunkBytes: 1000 });
    const root = makeBlock(PB, fileNode([4000n], [{ cid: child.cid, tsize: 4000 }]));
    const { table } = await build(root);
    await expect(expandLeaf(table, 0, child.blocks.get(child.cid)!, fromBlocks(child.blocks))).rejects.toMatchObject({ kind: 'invalid-dag' });
  });

  it('hashes the digests it lists itself, by an independent computation', async () => {
    const file = randomBytes(2500);
    const { table } = await makeDag(file, { chunkBytes: 1000 });
    const digests = [0, 1, 2].map((i) => createHash('sha256').update(leafOf(table, file, i)).digest('hex'));
    expect(Buffer.from(table.digests).toString('hex')).toBe(digests.join(''));
  });
});
