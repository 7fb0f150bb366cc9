import { randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import * as dagPb from '@ipld/dag-pb';
import { fc } from '../../../helpers/properties.ts';
import { UnixFS } from 'ipfs-unixfs';
import { ByteReader, encodeVarint } from '#content/cid/byte-reader';
import { decodeUnixfsNode } from '#content/dag/unixfs-node';
import { makeBlocks } from '../../../helpers/dag/dag.ts';

/** Inner nodes of several shapes to mutate. */
const SAMPLES = [
  makeBlocks(randomBytes(3000), { chunkBytes: 700, leaves: 'pb' }),
  makeBlocks(randomBytes(3000), { chunkBytes: 700, dataFirst: true, inlineBytes: 9 }),
  makeBlocks(randomBytes(300), { leaves: 'pbMtime' }),
].map((dag) => Buffer.from(dag.blocks.get(dag.cid)!));

/** undefined where the public library refuses, or where it cannot say what UnixFS it is. */
function theirs(block: Uint8Array) {
  try {
    const node = dagPb.decode(block);
    const unixfs = UnixFS.unmarshal(node.Data!);
    return { sizes: unixfs.blockSizes.map(Number), data: Buffer.from(unixfs.data ?? []), links: node.Links };
  } catch {
    return undefined;
  }
}

function ours(block: Uint8Array) {
  try {
    return decodeUnixfsNode(block);
  } catch (error) {
    expect(error).toMatchObject({ name: 'VerifyError', kind: 'invalid-dag' });
    return undefined;
  }
}

describe('decodeUnixfsNode', () => {
  it.each(SAMPLES.map((block, index) => [index, block] as const))(
    'reads sample %d as the public libraries do',
    (_i, block) => {
      const node = decodeUnixfsNode(block);
      const other = theirs(block)!;
      expect([...node.blocksizes]).toEqual(other.sizes);
      expect(Buffer.from(node.data)).toEqual(other.data);
      expect(node.links.map((link) => [Buffer.from(link.hash).toString('hex'), link.tsize])).toEqual(
        other.links.map((link) => [Buffer.from(link.Hash.bytes).toString('hex'), link.Tsize]),
      );
    },
  );

  it('accepts no mutated node that dag-pb refuses, and sees the same links (property)', () => {
    const mutations = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(fc.constantFrom(...SAMPLES), mutations, (sample, changes) => {
        const block = Buffer.from(sample);
        for (const [at, value] of changes) block[at % block.length] = value;
        const node = ours(block);
        if (node === undefined) return;
        let decoded: dagPb.PBNode;
        try {
          decoded = dagPb.decode(block);
        } catch (error) {
          // dag-pb parses the CIDs of links at once; ours come later, in the walk.
          expect(String(error)).not.toContain('protobuf');
          return;
        }
        expect(decoded.Links).toHaveLength(node.links.length);
      }),
      { numRuns: 2000 },
    );
  });

  it.each([
    ['a Data that stands between Links', [0x12, 2, 0x0a, 0, 0x0a, 2, 8, 2, 0x12, 2, 0x0a, 0]],
    ['Data twice', [0x0a, 2, 8, 2, 0x0a, 2, 8, 2]],
    ['an unknown field', [0x0a, 2, 8, 2, 0x1a, 0]],
    ['a link without a CID', [0x0a, 2, 8, 2, 0x12, 2, 0x12, 0]],
    ['link fields out of order', [0x0a, 2, 8, 2, 0x12, 4, 0x12, 0, 0x0a, 0]],
    ['a UnixFS without a type', [0x0a, 2, 0x18, 0]],
    ['a UnixFS type twice', [0x0a, 4, 8, 2, 8, 2]],
    ['an end inside a field', [0x0a, 9, 8, 2]],
    ['a filesize beyond 2^53', [0x0a, 11, 8, 2, 0x18, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]],
    ['nothing', []],
  ])('refuses %s', (_name, bytes) => {
    expect(() => decodeUnixfsNode(Uint8Array.from(bytes))).toThrow(expect.objectContaining({ kind: 'invalid-dag' }));
  });

  it('reads packed block sizes, and skips mode and mtime', () => {
    const block = Uint8Array.from([0x0a, 13, 8, 2, 0x22, 2, 5, 6, 0x38, 0x24, 0x42, 3, 8, 1, 0]);
    expect([...decodeUnixfsNode(block).blocksizes]).toEqual([5, 6]);
  });
});

describe('varints', () => {
  it('are refused when they are longer than they need be, where that matters, and where a field is cut', () => {
    expect(new ByteReader(Uint8Array.of(0x81, 0)).varint()).toBe(1);
    expect(() => new ByteReader(Uint8Array.of(0x81, 0)).varint(true)).toThrow('padding');
    expect(new ByteReader(Uint8Array.of(0)).varint(true)).toBe(0);
    for (const cut of [[], [0x80], [0xff, 0xff], Array(10).fill(0x80), [...Array(9).fill(0xff), 1]])
      expect(() => new ByteReader(Uint8Array.from(cut)).varint()).toThrow(RangeError);
    const reader = new ByteReader(Uint8Array.of(1, 2, 3));
    expect(() => reader.take(4)).toThrow('4 bytes are promised at byte 0, 3 are there');
    expect([...reader.take(3)]).toEqual([1, 2, 3]);
    expect(reader.done).toBe(true);
  });

  it('come back as they were for every safe integer (property)', () => {
    const edges = [
      0,
      127,
      128,
      2 ** 28 - 1,
      2 ** 28,
      2 ** 31 - 1,
      2 ** 31,
      2 ** 32 - 1,
      2 ** 32,
      2 ** 35,
      Number.MAX_SAFE_INTEGER,
    ];
    const check = (value: number) => {
      const reader = new ByteReader(Uint8Array.from(encodeVarint(value)));
      expect(reader.varint(true)).toBe(value);
      expect(reader.done).toBe(true);
    };
    edges.forEach(check);
    fc.assert(fc.property(fc.maxSafeNat(), check));
  });
});
