import { randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { exporter, type ReadableStorage } from 'ipfs-unixfs-exporter';
import { CID } from 'multiformats/cid';
import { KIB, MIB } from '#core/units';
import { buildLeafTable } from '#content/leaf/build-leaf-table';
import { createDagBuilder, type BuiltDag, type DagProfile } from '#content/dag/dag-builder';
import { leafCid, wrapLeaf } from '#content/leaf/leaf-block';
import { fromBlocks, makeBlocks } from '../../../helpers/dag/dag.ts';

function built(profile: DagProfile, file: Uint8Array): BuiltDag {
  const builder = createDagBuilder(profile);
  builder.update(file);
  return builder.finish();
}

/** Leaves and inner nodes, as a worker would serve them. */
function servedBlocks({ table, innerBlocks }: BuiltDag, file: Uint8Array): Map<string, Uint8Array> {
  const blocks = new Map(innerBlocks);
  for (let index = 0; index < table.count; index += 1) {
    const leaf = file.subarray(table.starts[index]!, table.starts[index + 1]!);
    blocks.set(leafCid(table, index)!, wrapLeaf(table, index, leaf)!);
  }
  return blocks;
}

const storage = (blocks: ReadonlyMap<string, Uint8Array>): ReadableStorage => ({
  async *get(cid) {
    yield blocks.get(CID.asCID(cid)!.toV1().toString())!;
  },
});

const SIZES = [1, 256 * KIB, 256 * KIB + 1, MIB, MIB + 1, 3 * MIB + 77, 174 * 256 * KIB, 174 * 256 * KIB + 1];

describe.each(['unixfs-v1-2025', 'unixfs-v0-2015'] as const)('a DAG of profile %s', (profile) => {
  it.each(SIZES)('of %d bytes is what the public libraries build', (bytes) => {
    const file = Buffer.alloc(bytes, randomBytes(9973));
    const dag = built(profile, file);
    const theirs = makeBlocks(file, { profile });
    expect(dag.cid).toBe(theirs.cid);
    expect(new Set(servedBlocks(dag, file).keys())).toEqual(new Set(theirs.blocks.keys()));
  });

  it('is read back by the public exporter, byte for byte', async () => {
    const file = randomBytes(2 * MIB + 333);
    const dag = built(profile, file);
    const entry = await exporter(dag.profileCid, storage(servedBlocks(dag, file)));
    if (entry.type !== 'file') throw new Error(entry.type);
    const pieces: Uint8Array[] = [];
    for await (const piece of entry.content()) pieces.push(piece);
    expect(Buffer.concat(pieces).equals(file)).toBe(true);
  });

  it('has the leaf table that a walk over its inner blocks finds', async () => {
    const file = randomBytes(5 * MIB + 1);
    const dag = built(profile, file);
    const walked = await buildLeafTable(dag.cid, fromBlocks(dag.innerBlocks));
    const settled = { ...dag.table, framing: walked.table.framing };
    expect(walked.table).toEqual(settled);
    expect(new Set(walked.innerBlocks.keys())).toEqual(new Set(dag.innerBlocks.keys()));
  });
});
