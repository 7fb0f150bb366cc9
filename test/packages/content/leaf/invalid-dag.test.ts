import { randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import * as dagPb from '@ipld/dag-pb';
import { CID } from 'multiformats/cid';
import { MIB } from '#core/units';
import { buildLeafTable } from '#content/leaf/build-leaf-table';
import { hashFunction } from '#content/digest/multihash';
import type { FetchBlock } from '#content/dag/verified-blocks';
import { build, counted, fileNode, identityCid, RAW, PB } from '../../../helpers/dag/dag-checks.ts';
import { makeBlock, makeBlocks } from '../../../helpers/dag/dag.ts';

describe('DAGs that break the rules', () => {
  const leaf = makeBlock(RAW, randomBytes(100));
  const cases: [string, Uint8Array, string][] = [
    ['more links than block sizes', fileNode([100n], [leaf, leaf]), '2 links and 1 block sizes'],
    ['a named link', fileNode([100n], [{ ...leaf, name: 'x' }]), 'has a name'],
    ['no UnixFS data', dagPb.encode({ Links: [] }), 'no UnixFS data'],
    ['bytes that are no dag-pb', Buffer.from('<!doctype html>'), 'breaks the rules'],
    ['a negative block size', fileNode([-1n & 0xffffffffffffffffn], [leaf]), 'beyond 2^53'],
    [
      'block sizes beyond 2^53',
      fileNode(
        [2n ** 52n, 2n ** 52n, 2n ** 52n].map((n) => n),
        [1, 2, 3].map(() => ({ cid: makeBlock(PB, Buffer.of(1)).cid, tsize: 2 ** 53 - 1 })),
      ),
      'beyond 2^53',
    ],
  ];
  it.each(cases)('refuses %s for good', async (_name, block, message) => {
    await expect(build(makeBlock(PB, block))).rejects.toMatchObject({
      kind: 'invalid-dag',
      message: expect.stringContaining(message),
    });
  });

  it('refuses a filesize that is not the sum of the block sizes', async () => {
    const unixfs = Buffer.from([8, 2, 0x18, 99, 0x20, 100]);
    const block = dagPb.encode({ Data: unixfs, Links: [{ Hash: CID.parse(leaf.cid), Name: '', Tsize: 100 }] });
    await expect(build(makeBlock(PB, block))).rejects.toMatchObject({ kind: 'invalid-dag' });
  });

  it.each([
    ['of other lengths', 0x13],
    ['of one length', 0x16],
  ])('refuses leaves with different hashes %s in one file', async (_name, code) => {
    const other = makeBlocks(randomBytes(100), { hash: { code, digest: hashFunction(code).hash } });
    const dag = makeBlock(PB, fileNode([100n, 100n], [leaf, other]));
    await expect(build(dag)).rejects.toMatchObject({ kind: 'unsupported' });
  });

  it('passes over children of no bytes', async () => {
    const dag = makeBlock(PB, fileNode([0n, 100n, 0n], [leaf, leaf, leaf]));
    expect((await build(dag)).table).toMatchObject({ count: 1, sizeBytes: 100 });
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
    await expect(build(dag)).rejects.toMatchObject({
      kind: 'unsupported',
      message: expect.stringContaining('maxBlockBytes'),
    });
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
    await expect(buildLeafTable(dag.cid, fetch, { maxBlockBytes: 1999 })).rejects.toMatchObject({
      kind: 'leaf-unobtainable',
    });
    expect(told).toBe(1999);
  });

  it('refuses a bomb of shared nodes before it allocates the leaves', async () => {
    let dag = makeBlocks(randomBytes(10), { chunkBytes: 10, inlineBytes: 1 });
    let sizeBytes = 10n;
    const blocks = new Map(dag.blocks);
    for (let level = 0; level < 5; level += 1) {
      dag = makeBlock(
        PB,
        fileNode(
          Array<bigint>(50).fill(sizeBytes),
          Array(50).fill({ cid: dag.cid, tsize: Number(sizeBytes * 9n) + 100 }),
        ),
      );
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
    await expect(build({ cid: dag.cid, blocks })).rejects.toMatchObject({
      kind: 'invalid-dag',
      message: expect.stringContaining('deeper'),
    });
    const wide = makeBlock(
      PB,
      fileNode(
        chain.map(() => 100n),
        chain.map(({ cid }) => ({ cid, tsize: 5000 })),
      ),
    );
    blocks.set(wide.cid, wide.blocks.get(wide.cid)!);
    await expect(build({ cid: wide.cid, blocks })).rejects.toMatchObject({
      kind: 'invalid-dag',
      message: expect.stringContaining('deeper'),
    });
  });

  it('asks for nothing below the eighth level, nor for more nodes than may have so many leaves', async () => {
    const chain = makeBlocks(randomBytes(4000), { chunkBytes: 100, width: 2, layout: 'trickle' });
    let deep = chain;
    for (let level = 0; level < 30; level += 1) {
      const node = makeBlock(PB, fileNode([4000n], [{ cid: deep.cid, tsize: 90_000 }]));
      deep = { cid: node.cid, blocks: new Map([...deep.blocks, ...node.blocks]) };
    }
    const below = counted(deep);
    await expect(buildLeafTable(deep.cid, below.fetch)).rejects.toThrow('deeper than 8 levels');
    expect(below.asked).toHaveLength(9);
    const wide = makeBlocks(randomBytes(50_000), { chunkBytes: 50, width: 40 });
    const beside = counted(wide);
    const limits = { maxLeaves: 100, parallel: 1 };
    await expect(buildLeafTable(wide.cid, beside.fetch, limits)).rejects.toThrow('over the limit of 100');
    expect(beside.asked).toHaveLength(4);
  });

  it('refuses inner nodes over their limit, and a file over its limit at the root', async () => {
    const dag = makeBlocks(randomBytes(50_000), { chunkBytes: 100, width: 20 });
    await expect(build(dag, { maxInnerBytes: 5000 })).rejects.toMatchObject({ kind: 'unsupported' });
    const { fetch, asked } = counted(dag);
    await expect(buildLeafTable(dag.cid, fetch, { maxFileBytes: 49_999 })).rejects.toMatchObject({
      kind: 'unsupported',
    });
    expect(asked).toEqual([dag.cid]);
  });
});
