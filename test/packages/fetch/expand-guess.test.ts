import { createHash } from 'node:crypto';
import * as dagPb from '@ipld/dag-pb';
import { UnixFS } from 'ipfs-unixfs';
import { describe, expect, it } from '@jest/globals';
import { expandGuess } from '#fetch/expand-guess';
import { LeafColumns } from '#content/leaf/leaf-columns';
import { leafCid } from '#content/leaf/leaf-block';
import { FRAMING } from '#content/leaf/leaf-table';
import { SHA2_256 } from '#content/digest/multihash';
import { LeafError } from '#transfer/proof/bad-leaf';
import { makeBlocks } from '../../helpers/dag/dag.ts';
import { bytesOf } from '../../helpers/transfer-kit.ts';

const LEAF_BYTES = 60;
const PIECES = 6;
const COUNT = 400;
const FIRST = 200;

/** A table of guessed leaves; at these places really stands a node of six leaves. */
function tableWith(nodes: readonly number[]) {
  const blocks = new Map<string, Uint8Array>();
  const columns = new LeafColumns();
  const made = Array.from({ length: COUNT }, (_, leaf) => {
    const bytes = bytesOf(LEAF_BYTES, `leaf ${leaf}`);
    if (!nodes.includes(leaf))
      return dagPb.encode({ Data: new UnixFS({ type: 'file', data: bytes }).marshal(), Links: [] });
    const dag = makeBlocks(bytes, { chunkBytes: LEAF_BYTES / PIECES });
    return dag.blocks.get(dag.cid)!;
  });
  for (const block of made)
    columns.pushLeaf(LEAF_BYTES, FRAMING.pbUnknown, SHA2_256, createHash('sha256').update(block).digest());
  const table = columns.toTable('bafyroot');
  made.forEach((block, leaf) => blocks.set(leafCid(table, leaf)!, block));
  const asked: string[] = [];
  const fetchBlock = (cid: string): Promise<Uint8Array> => {
    asked.push(cid);
    return Promise.resolve(blocks.get(cid)!);
  };
  const expand = (isProven: (leaf: number) => boolean = () => false) =>
    expandGuess(
      new LeafError('invalid-dag', FIRST, 'it is no leaf'),
      { table, innerBlocks: new Map() },
      { blocks: { fetchBlock, mainSource: () => undefined }, proven: () => Promise.resolve(isProven) },
    );
  return { table, asked, expand };
}

describe('after one wrong guess', () => {
  it('others near it are found, before and after, and the table is right at each of them', async () => {
    const nodes = [170, 190, FIRST, 201, 230, 260];
    const { table, expand } = tableWith(nodes);
    const expanded = (await expand())!;
    expect(expanded.table.count).toBe(COUNT + nodes.length * (PIECES - 1));
    expect(expanded.table.sizeBytes).toBe(table.sizeBytes);
    expect(expanded.innerBlocks.size).toBe(nodes.length);
    const starts = new Set(expanded.table.starts);
    for (const node of nodes) expect(starts.has(table.starts[node]! + LEAF_BYTES / PIECES)).toBe(true);
    expect(leafCid(expanded.table, COUNT + nodes.length * (PIECES - 1) - 1)).toBe(leafCid(table, COUNT - 1));
  });

  it('the search ends when many in a row were right', async () => {
    const { asked, expand } = tableWith([FIRST]);
    expect((await expand())!.table.count).toBe(COUNT + PIECES - 1);
    expect(asked).toHaveLength(1 + 2 * 32);
  });

  it('leaves that are proven on the disk are not fetched again', async () => {
    const { asked, expand } = tableWith([FIRST, 300]);
    const expanded = await expand((leaf) => leaf !== FIRST && leaf !== 300);
    expect(expanded!.table.count).toBe(COUNT + 2 * (PIECES - 1));
    expect(asked).toHaveLength(2);
  });

  it('nothing is expanded where the leaf is one', async () => {
    const { asked, expand } = tableWith([]);
    expect(await expand()).toBeUndefined();
    expect(asked).toHaveLength(1);
  });
});
