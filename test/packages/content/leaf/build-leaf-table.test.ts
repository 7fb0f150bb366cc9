import { createHash, randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { fc } from '../../../helpers/properties.ts';
import { buildLeafTable } from '#content/leaf/build-leaf-table';
import type { FetchBlock } from '#content/dag/verified-blocks';
import { build, counted, expectProves, leafOf, NOBODY } from '../../../helpers/dag/dag-checks.ts';
import { makeBlocks, makeDag, type DagLayout } from '../../../helpers/dag/dag.ts';

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
      chunkBytes: fc.oneof(
        fc.integer({ min: 100, max: 3000 }),
        // Two links a node and eight levels reach 512 leaves: none may need more.
        fc.array(fc.integer({ min: 60, max: 2000 }), { minLength: 1, maxLength: 5 }),
      ),
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
    await expect(buildLeafTable(dag.cid, async () => new Uint8Array(10))).rejects.toMatchObject({
      kind: 'leaf-unobtainable',
    });
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

  it('lists the SHA-256 of every raw leaf', async () => {
    const file = randomBytes(2500);
    const { table } = await makeDag(file, { chunkBytes: 1000 });
    const digests = [0, 1, 2].map((i) =>
      createHash('sha256')
        .update(leafOf(table, file, i))
        .digest('hex'),
    );
    expect(Buffer.from(table.digests).toString('hex')).toBe(digests.join(''));
  });
});
