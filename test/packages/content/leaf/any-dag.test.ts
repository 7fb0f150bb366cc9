import { describe, expect, it } from '@jest/globals';
import { fc } from '../../../helpers/properties.ts';
import { exporter } from 'ipfs-unixfs-exporter';
import type { CID } from 'multiformats/cid';
import { buildLeafTable } from '#content/leaf/build-leaf-table';
import { leafCid, unwrapLeafBlock, wrapLeaf } from '#content/leaf/leaf-block';
import { decodeLeafTable, encodeLeafTable } from '#content/leaf/leaf-table-file';
import { FRAMING, type LeafTable } from '#content/leaf/leaf-table';
import { buildShape, dagShapes } from '../../../helpers/dag/any-dag.ts';
import { expectProves, leafOf, repaired } from '../../../helpers/dag/dag-checks.ts';
import { fromBlocks, type TestDag } from '../../../helpers/dag/dag.ts';
import { bytesOf } from '../../../helpers/transfer-kit.ts';

const FILE = bytesOf(400_000, 'any dag');
const bytesAt = (start: number, length: number): Uint8Array => FILE.subarray(start, start + length);

/** Repairs every wrong guess, as a transfer does when no source has such a leaf. */
async function settled(dag: TestDag): Promise<LeafTable> {
  let { table } = await buildLeafTable(dag.cid, fromBlocks(dag.blocks));
  for (let leaf = 0; leaf < table.count;) {
    const block = dag.blocks.get(leafCid(table, leaf) ?? '');
    const isGuess = block !== undefined && table.framing[leaf] === FRAMING.pbUnknown;
    if (!isGuess || unwrapLeafBlock(table, leaf, block).is === 'leaf') leaf += 1;
    else table = await repaired(table, leaf, block, fromBlocks(dag.blocks));
  }
  return table;
}

async function exported(dag: TestDag): Promise<Buffer> {
  const storage = {
    async *get(cid: CID) {
      yield cid.multihash.code === 0 ? cid.multihash.digest : dag.blocks.get(cid.toV1().toString())!;
    },
  };
  const entry = await exporter(dag.cid, storage);
  if (entry.type !== 'file') throw new Error(entry.type);
  const pieces: Uint8Array[] = [];
  for await (const piece of entry.content()) pieces.push(piece);
  return Buffer.concat(pieces);
}

describe('a DAG of any shape', () => {
  it('has a leaf table that proves its file, leaf by leaf, and is kept and served as it is (property)', async () => {
    await fc.assert(
      fc.asyncProperty(dagShapes, async (shape) => {
        const dag = buildShape(shape, bytesAt);
        const file = FILE.subarray(0, dag.sizeBytes);
        const table = await settled(dag);
        expectProves(table, file);
        expect(decodeLeafTable(encodeLeafTable(table))).toEqual(table);
        for (let leaf = 0; leaf < table.count; leaf += 1) {
          const cid = leafCid(table, leaf);
          if (cid === undefined) continue;
          const block = wrapLeaf(table, leaf, leafOf(table, file, leaf))!;
          expect(Buffer.from(block).equals(dag.blocks.get(cid)!)).toBe(true);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('has the bytes that the public exporter reads from it (property)', async () => {
    await fc.assert(
      fc.asyncProperty(dagShapes, async (shape) => {
        const dag = buildShape(shape, bytesAt);
        const { sizeBytes } = await settled(dag);
        expect(sizeBytes).toBe(dag.sizeBytes);
        if (hasOnlyPlainLinks(shape)) expect((await exported(dag)).equals(FILE.subarray(0, dag.sizeBytes))).toBe(true);
      }),
      { numRuns: 100 },
    );
  });
});

/** The exporter wants a filesize, and does not read bytes that a node with links carries. */
function hasOnlyPlainLinks(shape: Parameters<typeof buildShape>[0]): boolean {
  if ('leaf' in shape) return shape.bytes > 0;
  return (
    shape.hasFilesize && shape.inlineBytes === 0 && shape.children.length > 0 && shape.children.every(hasOnlyPlainLinks)
  );
}
