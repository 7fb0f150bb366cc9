import { randomBytes } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from '@jest/globals';
import { fc } from '../../../helpers/properties.ts';
import { CID } from 'multiformats/cid';
import { leafBytesAt, leafCid, unwrapLeafBlock, verifyLeaf, wrapLeaf } from '#content/leaf/leaf-block';
import type { LeafTable } from '#content/leaf/leaf-table';
import { makeDag, type DagLayout } from '../../../helpers/dag/dag.ts';

const FILE = randomBytes(10_300);
const LAYOUTS: DagLayout[] = [
  { chunkBytes: 1000, leaves: 'raw' },
  { chunkBytes: 1000, leaves: 'pb' },
  { chunkBytes: [500, 200, 1000], leaves: 'pbRaw' },
  { chunkBytes: 120, leaves: 'identity' },
  { chunkBytes: 1000, leaves: 'pb', inlineBytes: 50, width: 3 },
];
const leafOf = (table: LeafTable, index: number) => FILE.subarray(table.starts[index]!, table.starts[index + 1]!);

describe.each(LAYOUTS)('leaves of %j', (layout) => {
  it('are proven in any slicing (property)', async () => {
    const { table } = await makeDag(FILE, layout);
    const cuts = fc.array(fc.nat(1000), { maxLength: 6 });
    fc.assert(
      fc.property(fc.nat(table.count - 1), cuts, fc.boolean(), (index, positions, damaged) => {
        const leaf = Uint8Array.from(leafOf(table, index));
        if (damaged) leaf[leaf.length - 1]! ^= 0x80;
        const borders = [0, ...positions.map((at) => at % leaf.length).sort((a, b) => a - b), leaf.length];
        const pieces = borders.slice(1).map((end, i) => leaf.subarray(borders[i]!, end));
        expect(verifyLeaf(table, index, pieces)).toBe(!damaged);
      }),
    );
  });

  it('are not proven by a digest that differs in one bit anywhere (property)', async () => {
    const { table } = await makeDag(FILE, layout);
    if (table.digests.length === 0) return;
    fc.assert(
      fc.property(fc.nat(table.digests.length - 1), fc.nat(7), (at, bit) => {
        const index = Math.floor(at / table.digestBytes);
        if (table.known.has(index)) return;
        const digests = Uint8Array.from(table.digests);
        digests[at]! ^= 1 << bit;
        const other = { ...table, digests };
        expect(verifyLeaf(other, index, leafOf(table, index))).toBe(false);
        expect(wrapLeaf(other, index, leafOf(table, index))).toBeUndefined();
      }),
    );
  });

  it('are not proven by a beginning, or with bytes added', async () => {
    const { table } = await makeDag(FILE, layout);
    const leaf = leafOf(table, 2);
    expect(verifyLeaf(table, 2, leaf.subarray(1))).toBe(false);
    expect(verifyLeaf(table, 2, [leaf, Uint8Array.of(0)])).toBe(false);
  });

  it('go into their block and come out again', async () => {
    const { table, blocks } = await makeDag(FILE, layout);
    for (let index = 0; index < table.count; index += 1) {
      const cid = leafCid(table, index);
      if (table.known.has(index)) {
        expect(cid).toBeUndefined();
        expect(wrapLeaf(table, index, leafOf(table, index))).toBeUndefined();
        continue;
      }
      const block = blocks.get(cid!)!;
      const unwrapped = unwrapLeafBlock(table, index, block);
      expect(unwrapped.is).toBe('leaf');
      expect(unwrapped.is === 'leaf' && Buffer.compare(unwrapped.bytes, leafOf(table, index))).toBe(0);
      expect(Buffer.compare(wrapLeaf(table, index, leafOf(table, index))!, block)).toBe(0);
      expect(unwrapLeafBlock(table, index, block.slice(1))).toEqual({ is: 'wrong' });
      expect(wrapLeaf(table, index, Buffer.alloc(leafBytesAt(table, index)))).toBeUndefined();
      expect(CID.parse(cid!).code).toBe(layout.leaves === 'raw' ? 0x55 : 0x70);
    }
  });
});

describe('a leaf table in another thread', () => {
  it('arrives as plain data, over shared memory too', async () => {
    const { table } = await makeDag(FILE, { chunkBytes: 1000, leaves: 'pb', inlineBytes: 50, width: 3 });
    const shared = new Uint8Array(new SharedArrayBuffer(table.digests.length));
    shared.set(table.digests);
    const echo =
      "const { parentPort, workerData } = require('node:worker_threads'); parentPort.postMessage(workerData);";
    const worker = new Worker(echo, { eval: true, workerData: { ...table, digests: shared } });
    const copy = await new Promise<LeafTable>((resolve) => worker.once('message', resolve));
    await worker.terminate();
    expect(Object.prototype.toString.call(copy.digests.buffer)).toBe('[object SharedArrayBuffer]');
    for (let index = 0; index < copy.count; index += 1) expect(verifyLeaf(copy, index, leafOf(copy, index))).toBe(true);
  });
});
