import { createHash, randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { fc } from '../../../helpers/properties.ts';
import { buildLeafTable } from '#content/leaf/build-leaf-table';
import { decodeCar, encodeCar } from '#content/dag/car';
import { leafCid } from '#content/leaf/leaf-block';
import { decodeLeafTable, encodeLeafTable } from '#content/leaf/leaf-table-file';
import { repaired } from '../../../helpers/dag/dag-checks.ts';
import { fromBlocks, makeBlocks, makeDag, type DagLayout } from '../../../helpers/dag/dag.ts';

const LAYOUTS: DagLayout[] = [
  { chunkBytes: 1000 },
  { chunkBytes: [500, 1, 1000], leaves: 'pb', inlineBytes: 33, width: 4 },
  { chunkBytes: 128, leaves: 'identity' },
];

describe('the file of a leaf table', () => {
  it.each(LAYOUTS)('comes back as it was for %j', async (layout) => {
    const { table } = await makeDag(randomBytes(9_001), layout);
    const file = encodeLeafTable(table);
    expect(decodeLeafTable(file)).toEqual(table);
    const offset = new Uint8Array(file.length + 7);
    offset.set(file, 7);
    expect(decodeLeafTable(offset.subarray(7))).toEqual(table);
  });

  it('keeps unusual frames, and an empty file', async () => {
    const dag = makeBlocks(randomBytes(3_000), { chunkBytes: 1000, leaves: 'pbMtime', tsize: 'absent' });
    const { table } = await buildLeafTable(dag.cid, fromBlocks(dag.blocks));
    const expanded = await repaired(table, 1, dag.blocks.get(leafCid(table, 1)!)!, fromBlocks(dag.blocks));
    expect(decodeLeafTable(encodeLeafTable(expanded))).toEqual(expanded);
    const empty = await buildLeafTable('bafkqaaa', fromBlocks(new Map()));
    expect(decodeLeafTable(encodeLeafTable(empty.table))).toEqual(empty.table);
  });

  it('takes 36 bytes a leaf', async () => {
    const small = encodeLeafTable((await makeDag(randomBytes(1000), { chunkBytes: 10 })).table).length;
    const large = encodeLeafTable((await makeDag(randomBytes(2000), { chunkBytes: 10 })).table).length;
    expect(large - small).toBe(3600);
  });

  it('is refused when any byte is changed or missing (property)', async () => {
    const { table } = await makeDag(randomBytes(5000), { chunkBytes: 1000, inlineBytes: 10 });
    const file = encodeLeafTable(table);
    fc.assert(
      fc.property(fc.nat(file.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const changed = Uint8Array.from(file);
        changed[at]! ^= change;
        expect(decodeLeafTable(changed)).toBeUndefined();
        expect(decodeLeafTable(file.subarray(0, at))).toBeUndefined();
      }),
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (garbage) => expect(decodeLeafTable(garbage)).toBeUndefined()),
    );
  });

  it('is refused when it has more than it says, under a checksum that is right', async () => {
    const { table } = await makeDag(randomBytes(5000), { chunkBytes: 1000, inlineBytes: 10 });
    const file = encodeLeafTable(table);
    for (const more of [1, 32, 40]) {
      const body = Buffer.concat([file.subarray(0, -32), Buffer.alloc(more)]);
      const sealed = Buffer.concat([body, createHash('sha256').update(body).digest()]);
      expect(decodeLeafTable(sealed)).toBeUndefined();
      expect(decodeLeafTable(Buffer.concat([sealed, Buffer.alloc(more)]))).toBeUndefined();
    }
  });

  it('is refused when it was written from nonsense', async () => {
    const { table } = await makeDag(randomBytes(5000), { chunkBytes: 1000 });
    const nonsense = [
      { ...table, sizeBytes: 4999 },
      { ...table, rootCid: 'bafy' },
      { ...table, hashCode: 0x1b },
      { ...table, framing: new Uint8Array(table.count).fill(4) },
      { ...table, framing: new Uint8Array(table.count).fill(7) },
      { ...table, known: new Map([[9, new Uint8Array(3)]]) },
      { ...table, digests: table.digests.subarray(32) },
    ];
    for (const bad of nonsense) expect(decodeLeafTable(encodeLeafTable(bad))).toBeUndefined();
  });
});

describe('the CAR of inner blocks', () => {
  it('rebuilds the table without a request', async () => {
    const dag = makeBlocks(randomBytes(90_000), { profile: 'unixfs-v0-2015', chunkBytes: 1000, width: 7 });
    const built = await buildLeafTable(dag.cid, fromBlocks(dag.blocks));
    const car = encodeCar(dag.cid, built.innerBlocks);
    const again = await buildLeafTable(dag.cid, fromBlocks(new Map()), { innerBlocks: await decodeCar(car) });
    expect(again.table).toEqual(built.table);
  });

  it('has the header of CARv1', () => {
    const dag = makeBlocks(randomBytes(10));
    const car = Buffer.from(encodeCar(dag.cid, new Map()));
    const header = Buffer.from('3aa265726f6f747381d82a58250001551220', 'hex');
    expect(car.subarray(0, header.length).toString('hex')).toBe(header.toString('hex'));
    expect(car.subarray(-9).toString('latin1')).toBe('gversion\x01');
  });

  it('never gives a wrong block, whatever the damage (property)', async () => {
    const dag = makeBlocks(randomBytes(9_000), { chunkBytes: 100, width: 7 });
    const { innerBlocks } = await buildLeafTable(dag.cid, fromBlocks(dag.blocks));
    const car = encodeCar(dag.cid, innerBlocks);
    const damage = fc.array(fc.tuple(fc.nat(car.length - 1), fc.nat(255)), { minLength: 1, maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(damage, fc.nat(car.length), async (changes, end) => {
        const bytes = car.slice(0, end);
        for (const [at, value] of changes) if (at < end) bytes[at] = value;
        for (const [cid, block] of await decodeCar(bytes))
          expect(Buffer.from(block)).toEqual(Buffer.from(innerBlocks.get(cid)!));
      }),
    );
  });
});
