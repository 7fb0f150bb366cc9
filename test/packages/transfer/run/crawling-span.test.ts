import { readFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { KIB, MIB } from '#core/units';
import { transfer } from '#transfer/run/transfer';
import { fakeSource } from '../../../helpers/fake-source.ts';
import { bytesOf, tableOf, transferKit } from '../../../helpers/transfer-kit.ts';

const LEAF = 256 * KIB;
const bytes = bytesOf(4 * MIB + 777);
const table = tableOf(bytes);

let kit: Awaited<ReturnType<typeof transferKit>>;
beforeEach(async () => {
  kit = await transferKit();
});
afterEach(() => kit.remove());

describe('the end-game', () => {
  it('HT10 duplicates a span that crawls when the faster source has been idle for long', async () => {
    let isWhole = false;
    const fast = {
      ...fakeSource(bytes, { name: 'fast', kind: 'peer', bytesPerSecond: 20 * MIB }),
      holds: ({ start }: { readonly start: number }) => isWhole || start < 10 * LEAF,
    };
    const crawling = fakeSource(bytes, { name: 'crawling', kind: 'peer', bytesPerSecond: 2 * KIB, chunkBytes: 512 });
    const late = setTimeout(() => (isWhole = true), 1500);
    // Ten times as fast as real time: the fast peer is idle for 15 s.
    const now = (): number => performance.now() * 10;
    const result = await transfer(kit.options([fast, crawling], { table, now, strategy: 'parallel' }));
    clearTimeout(late);
    expect(bytes.equals(await readFile(kit.partialPath))).toBe(true);
    expect(result.sources.find(({ source }) => source === 'fast')!.bytes).toBe(bytes.length);
  });
});
