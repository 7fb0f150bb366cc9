import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ExhaustedError } from '#core/failure';
import { MIB } from '#core/units';
import { SourceSums } from '#transfer/report/source-sums';
import type { TryRecord } from '#transfer/report/transfer-options';
import { transfer } from '#transfer/run/transfer';
import { fakeSource } from '../../../helpers/fake-source.ts';
import { bytesOf, tableOf, transferKit } from '../../../helpers/transfer-kit.ts';

const bytes = bytesOf(2 * MIB);
const table = tableOf(bytes);

let kit: Awaited<ReturnType<typeof transferKit>>;
beforeEach(async () => {
  kit = await transferKit();
});
afterEach(() => kit.remove());

describe('the sums of the tries of each source', () => {
  it('ME1 are those of the result, and every try says what kind of source was asked', async () => {
    const sums = new SourceSums();
    const kinds = new Set<TryRecord['kind']>();
    const gateway = fakeSource(bytes, { name: 'gateway', kind: 'ipfs-gateway', failRead: () => 'missing' });
    const mirror = fakeSource(bytes, { name: 'mirror', kind: 'mirror' });
    const onTry = (record: TryRecord): void => {
      sums.add(record);
      kinds.add(record.kind);
    };
    const { sources } = await transfer(kit.options([gateway, mirror], { table, onTry }));
    expect([...kinds].sort()).toEqual(['ipfs-gateway', 'mirror']);
    expect(sums.all).toEqual(sources.map(({ leftBecause: _, ...sum }) => sum));
  });

  it('CH7 are there when every source failed as well', async () => {
    const sums = new SourceSums();
    const dead = fakeSource(bytes, { name: 'dead', failRead: () => 'timed-out' });
    const ending = transfer(kit.options([dead], { table, onTry: (record) => sums.add(record) }));
    await expect(ending).rejects.toBeInstanceOf(ExhaustedError);
    expect(sums.all).toMatchObject([{ source: 'dead', bytes: 0, errors: 3 }]);
  });
});
