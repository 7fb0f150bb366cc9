import { randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { leafCid, unwrapLeafBlock, verifyLeaf, wrapLeaf } from '#content/leaf/leaf-block';
import { build, leafOf, expectProves, fileNode, NOBODY, PB, repaired } from '../../../helpers/dag/dag-checks.ts';
import { fromBlocks, makeBlock, makeBlocks, makeDag } from '../../../helpers/dag/dag.ts';

describe('a wrong guess about a leaf', () => {
  it('expands a node that its Tsize made look like a leaf', async () => {
    const file = randomBytes(9_500);
    const dag = makeBlocks(file, { chunkBytes: 1000, width: 3, tsize: 'low', leaves: 'pb' });
    let { table } = await build(dag);
    expect(table.count).toBeLessThan(10);
    for (let index = 0; index < table.count;) {
      const block = dag.blocks.get(leafCid(table, index)!)!;
      if (unwrapLeafBlock(table, index, block).is === 'leaf') index += 1;
      else table = await repaired(table, index, block, fromBlocks(dag.blocks));
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
      table = await repaired(table, index, block, NOBODY);
      expect(Buffer.from(wrapLeaf(table, index, leafOf(table, file, index))!)).toEqual(Buffer.from(block));
    }
    expectProves(table, file);
    expect(original.frames).toBeUndefined();
  });

  it('refuses to expand a raw leaf, and a node of another length than listed', async () => {
    const raw = await makeDag(randomBytes(2000), { chunkBytes: 1000 });
    await expect(repaired(raw.table, 0, new Uint8Array(0), NOBODY)).rejects.toBeInstanceOf(RangeError);
    const child = makeBlocks(randomBytes(5000), { chunkBytes: 1000 });
    const root = makeBlock(PB, fileNode([4000n], [{ cid: child.cid, tsize: 4000 }]));
    const { table } = await build(root);
    await expect(repaired(table, 0, child.blocks.get(child.cid)!, fromBlocks(child.blocks))).rejects.toMatchObject({
      kind: 'invalid-dag',
    });
  });
});
