import { describe, expect, it } from '@jest/globals';
import { blockFetcher, type BlockFetcher } from '#fetch/block-fetcher';
import { leafTableOf, type LeafTableCache } from '#fetch/leaf-tables';
import type { BuiltLeafTable } from '#content/leaf/build-leaf-table';
import { ExhaustedError, VerifyError } from '#core/failure';
import { silentLogger } from '#core/logger';
import { DEFAULT_BUDGETS } from '#core/policy';
import type { Source } from '#core/source';
import { makeBlock, makeBlocks, makeDag } from '../../helpers/dag/dag.ts';
import { expectNoLeaks } from '../../helpers/leaks.ts';
import { obtaining, PLAIN, testFile } from '../../helpers/obtaining.ts';
import { bytesOf } from '../../helpers/transfer-kit.ts';

expectNoLeaks();
const bench = obtaining();
const bytes = bytesOf(200_000);
/** 200 leaves under 40 nodes under 8 under 2 under the root. */
const LAYOUT = { chunkBytes: 1000, width: 5 } as const;
const dag = makeBlocks(bytes, LAYOUT);

interface BlockSource extends Source {
  readonly asked: string[];
  /** Most requests that were open at once. */
  mostOpen: number;
}

type Answer = (block: Uint8Array, cid: string) => Uint8Array | Promise<Uint8Array>;

function blockSource(name: string, answer: Answer): BlockSource {
  let open = 0;
  const source: BlockSource = {
    ...{ name, kind: 'ipfs-gateway', layer: 'ipfs', origin: `http://${name}`, asked: [], mostOpen: 0 },
    capabilities: () => ({ range: true, blocks: true, maxConnections: 8 }),
    read: () => Promise.reject(new Error('not asked for here')),
    async readBlock(cid) {
      source.asked.push(cid);
      source.mostOpen = Math.max(source.mostOpen, (open += 1));
      try {
        return await answer(dag.blocks.get(cid)!, cid);
      } finally {
        open -= 1;
      }
    },
  };
  return source;
}

const fetcherOf = (...sources: Source[]): BlockFetcher =>
  blockFetcher(sources, { budgets: DEFAULT_BUDGETS, now: () => performance.now(), random: () => 0.5 });

const options = (cache?: LeafTableCache) => ({
  ...{ cache, signal: new AbortController().signal, logger: silentLogger },
});

const flipped = (block: Uint8Array): Uint8Array => Uint8Array.from(block, (byte, at) => (at === 9 ? byte ^ 1 : byte));

describe('the leaf table of a file from several sources', () => {
  it('is built by two of them at the same time', async () => {
    const parties: (() => void)[] = [];
    /** No source answers below the root until both have a request in flight: with one request at a time this would never end. */
    const together = async (name: string, block: Uint8Array, cid: string): Promise<Uint8Array> => {
      if (cid === dag.cid || met.size === 2) return block;
      met.add(name);
      if (met.size < 2) await new Promise<void>((go) => parties.push(go));
      for (const go of parties.splice(0)) go();
      return block;
    };
    const met = new Set<string>();
    const [a, b] = [
      blockSource('a', (block, cid) => together('a', block, cid)),
      blockSource('b', (block, cid) => together('b', block, cid)),
    ];
    const built = await leafTableOf(dag.cid, false, fetcherOf(a, b), options());
    expect(built!.table).toEqual((await makeDag(bytes, LAYOUT)).table);
    expect(new Set([...a.asked, ...b.asked])).toEqual(new Set(built!.innerBlocks.keys()));
    expect(a.asked.length + b.asked.length).toBe(built!.innerBlocks.size);
    expect(Math.min(a.asked.length, b.asked.length)).toBeGreaterThan(5);
  });

  it('leaves most of the work to the faster of two', async () => {
    const waiting: (() => void)[] = [];
    const slow = blockSource('slow', (block) => new Promise((resolve) => waiting.push(() => resolve(block))));
    let answers = 0;
    const fast = blockSource('fast', async (block) => {
      await Promise.resolve();
      if ((answers += 1) % 10 === 0) waiting.shift()?.();
      return block;
    });
    const ended = leafTableOf(dag.cid, false, fetcherOf(fast, slow), options());
    const idle = setInterval(() => waiting.shift()?.(), 5);
    const { innerBlocks } = (await ended)!;
    clearInterval(idle);
    expect(slow.mostOpen).toBeLessThanOrEqual(4);
    expect(fast.asked.length).toBeGreaterThan(innerBlocks.size / 2);
  });

  it('E07 asks the right source once for each block, and drops the one that sends wrong blocks', async () => {
    const liar = blockSource('liar', flipped);
    const honest = blockSource('honest', (block) => block);
    const { innerBlocks } = (await leafTableOf(dag.cid, false, fetcherOf(liar, honest), options()))!;
    expect(honest.asked).toHaveLength(innerBlocks.size);
    expect(new Set(honest.asked).size).toBe(honest.asked.length);
    // It is dropped after its third wrong block; requests in flight then may still be answered.
    expect(liar.asked.length).toBeGreaterThanOrEqual(3);
    expect(liar.asked.length).toBeLessThanOrEqual(3 + 8);
  });

  it('E07 keeps a source that sends one bad node: only that node is asked for elsewhere', async () => {
    let bad: string | undefined;
    const shaky = blockSource('shaky', (block, cid) => (cid === (bad ??= cid) ? flipped(block) : block));
    const honest = blockSource('honest', (block) => block);
    const { innerBlocks } = (await leafTableOf(dag.cid, false, fetcherOf(shaky, honest), options()))!;
    expect(shaky.asked.length + honest.asked.length).toBe(innerBlocks.size + 1);
    expect(honest.asked).toContain(bad);
    expect(shaky.asked.length).toBeGreaterThan(5);
  });

  it('E07 comes from two real gateways, past a third that sends other bytes for every block', async () => {
    const file = await testFile(200_000, LAYOUT);
    const blocks = new Map([...file.served.blocks!].map(([cid, block]) => [cid, flipped(block)]));
    const gateways = [
      await bench.origin({ ...file.served, blocks }, [], {
        rules: [{ path: PLAIN, fault: { do: 'status', status: 410 } }],
      }),
      await bench.origin(file.served),
      await bench.origin(file.served),
    ];
    const run = await bench.obtain({ file, gateways, identity: { digests: {} } });
    expect(run.result).toMatchObject({ verified: 'leaves', badLeaves: 0 });
    const counts = gateways.map(({ requests }) => requests.filter(({ path }) => path.includes('format=raw')).length);
    expect(counts[0]).toBeLessThanOrEqual(3 + 8);
    expect(counts[1]).toBeGreaterThan(5);
    expect(counts[2]).toBeGreaterThan(5);
  });
});

describe('a leaf table that no source gives', () => {
  const withoutSources = fetcherOf();

  it('is no failure for a file that a digest proves as well, and is one otherwise', async () => {
    expect(await leafTableOf(dag.cid, true, withoutSources, options())).toBeUndefined();
    await expect(leafTableOf(dag.cid, false, withoutSources, options())).rejects.toBeInstanceOf(ExhaustedError);
  });

  it.each(['hello', 'bafy', 'model.onnx', ''])('E12 is refused for good where the text is no CID: %j', async (text) => {
    const asked = blockSource('a', (block) => block);
    for (const otherProof of [true, false])
      await expect(leafTableOf(text, otherProof, fetcherOf(asked), options())).rejects.toBeInstanceOf(VerifyError);
    expect(asked.asked).toEqual([]);
  });

  it('is a failure for good where the DAG breaks the rules, whatever else proves the file', async () => {
    const broken = makeBlock(0x70, Buffer.from('<!doctype html>'));
    const source = blockSource('a', () => broken.blocks.get(broken.cid)!);
    await expect(leafTableOf(broken.cid, true, fetcherOf(source), options())).rejects.toMatchObject({
      kind: 'invalid-dag',
    });
    expect(source.asked).toHaveLength(1);
  });

  it('comes from the cache without a request, and goes there when it was built', async () => {
    const kept = new Map<string, BuiltLeafTable>();
    const cache: LeafTableCache = {
      load: (cid) => Promise.resolve(kept.get(cid)),
      save: (cid, built) => Promise.resolve(void kept.set(cid, built)),
    };
    const source = blockSource('a', (block) => block);
    const first = await leafTableOf(dag.cid.toUpperCase(), false, fetcherOf(source), options(cache));
    expect([...kept.keys()]).toEqual([dag.cid]);
    expect(await leafTableOf(dag.cid, false, withoutSources, options(cache))).toBe(first);
  });
});
