import { copyFile, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { fc } from '../../../helpers/properties.ts';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { KIB, MIB } from '#core/units';
import { decodeJournal, encodeJournal } from '#transfer/disk/journal';
import { nodeFileOperations } from '#transfer/disk/file-operations';
import { journalPathOf } from '#transfer/disk/partial';
import { transfer } from '#transfer/run/transfer';
import type { TransferOptions } from '#transfer/report/transfer-options';
import { fakeSource, type FakeBehaviour } from '../../../helpers/fake-source.ts';
import { bytesOf, sha256Of, tableOf, transferKit } from '../../../helpers/transfer-kit.ts';

const LEAF = 256 * KIB;
const bytes = bytesOf(4 * MIB);
const table = tableOf(bytes);
const sha256 = sha256Of(bytes);
const byDigest: TransferOptions['file'] = { sizeBytes: bytes.length, digests: { sha256 } };

let kit: Awaited<ReturnType<typeof transferKit>>;
beforeEach(async () => {
  kit = await transferKit();
});
afterEach(() => kit.remove());

const isIdentical = async () => bytes.equals(await readFile(kit.partialPath));
const readJournal = async () => decodeJournal(await readFile(journalPathOf(kit.partialPath)));

/** Runs a transfer and aborts it after so many bytes were sent. */
async function abortAfter(sentBytes: number, more: Partial<TransferOptions>, behaviour: FakeBehaviour = {}) {
  const controller = new AbortController();
  const source = fakeSource(bytes, {
    chunkBytes: 32 * KIB,
    ...behaviour,
    corrupt: (position) => {
      if (position >= sentBytes) controller.abort(new Error('stopped'));
    },
  });
  await expect(transfer(kit.options([source], { ...more, signal: controller.signal }))).rejects.toThrow('stopped');
}

describe('RE1 RE12 resume', () => {
  it.each([25, 50, 75])('continues at %i percent and asks for no verified leaf again', async (percent) => {
    await abortAfter((bytes.length * percent) / 100, { table });
    const source = fakeSource(bytes);
    const result = await transfer(kit.options([source], { table, file: { digests: { sha256 } } }));
    expect(await isIdentical()).toBe(true);
    expect(result.resumedBytes).toBe((bytes.length * percent) / 100);
    expect(source.requests).toMatchObject([{ range: { start: result.resumedBytes } }]);
  });

  it('continues a file that only a digest proves', async () => {
    await abortAfter(MIB, { file: byDigest });
    const source = fakeSource(bytes);
    const result = await transfer(kit.options([source], { file: byDigest }));
    expect(await isIdentical()).toBe(true);
    expect(result.resumedBytes).toBe(MIB);
    expect(source.requests).toMatchObject([{ range: { start: MIB } }]);
  });

  it('RE3 reports the exact resume point when it breaks off, and before it needs space', async () => {
    const told: number[] = [];
    const onProgress = ({ committedBytes }: { committedBytes: number }) => void told.push(committedBytes);
    await abortAfter(2 * MIB, { file: byDigest, onProgress });
    const noSpace = { ...nodeFileOperations, freeBytes: () => Promise.resolve(0) };
    const again = kit.options([fakeSource(bytes)], { file: byDigest, onProgress, fileOperations: noSpace });
    await expect(transfer(again)).rejects.toMatchObject({ kind: 'disk-full' });
    expect(told.slice(-2)).toEqual([2 * MIB, 2 * MIB]);
  });

  it('continues a file whose size was learned by the first run', async () => {
    const file = { digests: { sha256 } };
    await abortAfter(2 * MIB, { file });
    const source = fakeSource(bytes);
    expect(await transfer(kit.options([source], { file }))).toMatchObject({ resumedBytes: 2 * MIB });
    expect(source.requests).toMatchObject([{ range: { start: 2 * MIB } }]);
  });

  it('HR19 sends no request when the partial is already complete', async () => {
    await transfer(kit.options([fakeSource(bytes)], { table }));
    const result = await transfer(kit.options([], { table, file: { digests: { sha256 } } }));
    expect(result).toMatchObject({ resumedBytes: bytes.length, deepestLayer: undefined, tries: [] });
  });

  it('H11 aborted before a byte came leaves nothing behind', async () => {
    await abortAfter(0, { table });
    await expect(stat(kit.partialPath)).rejects.toThrow('ENOENT');
    await expect(stat(journalPathOf(kit.partialPath))).rejects.toThrow('ENOENT');
  });

  it('H11 aborted before it starts rejects with the reason', async () => {
    const signal = AbortSignal.abort(new Error('never'));
    await expect(transfer(kit.options([fakeSource(bytes)], { table, signal }))).rejects.toThrow('never');
  });

  it('H13 RE11 is idempotent over many aborts at any moment', async () => {
    const state = { asked: 0 };
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 0, max: bytes.length - 1 }), { maxLength: 6 }), async (stops) => {
        const own = await transferKit();
        try {
          state.asked = 0;
          const count: FakeBehaviour = { chunkBytes: 64 * KIB };
          for (const stop of [...stops].sort((a, b) => a - b)) {
            const controller = new AbortController();
            const source = fakeSource(bytes, {
              ...count,
              corrupt: (position, chunk) => {
                state.asked += chunk.length;
                if (position + chunk.length > stop) controller.abort(new Error('stopped'));
              },
            });
            await transfer(own.options([source], { table, signal: controller.signal })).catch((error: Error) => {
              expect(error.message).toBe('stopped');
            });
          }
          const last = fakeSource(bytes, { ...count, corrupt: (_, chunk) => void (state.asked += chunk.length) });
          await transfer(own.options([last], { table }));
          expect(bytes.equals(await readFile(own.partialPath))).toBe(true);
          expect(state.asked).toBeLessThanOrEqual(bytes.length + stops.length * LEAF);
        } finally {
          await own.remove();
        }
      }),
      { numRuns: 15 },
    );
  });

  it('starts over for another file under the same name', async () => {
    await abortAfter(2 * MIB, { file: byDigest });
    const other = bytesOf(bytes.length, 'other');
    const file = { sizeBytes: other.length, digests: { sha256: sha256Of(other) } };
    const result = await transfer(kit.options([fakeSource(other)], { file }));
    expect(result.resumedBytes).toBe(0);
    expect(other.equals(await readFile(kit.partialPath))).toBe(true);
  });

  it('drops the bytes of an earlier run when the whole digest differs, without a failure of a source', async () => {
    await abortAfter(2 * MIB, { file: byDigest });
    const partial = await readFile(kit.partialPath);
    partial[5]! ^= 1;
    await writeFile(kit.partialPath, partial);
    const result = await transfer(kit.options([fakeSource(bytes, { name: 'again' })], { file: byDigest }));
    expect(await isIdentical()).toBe(true);
    expect(result.sources[0]).toMatchObject({ errors: 0, bytes: bytes.length });
  });
});

describe('HD11 G12 the journal is never trusted blindly', () => {
  it('H01 verifies every leaf again after an unclean stop, while the transfer continues', async () => {
    await abortAfter(3 * MIB, { table });
    const journal = await readJournal();
    if (!journal.ok) throw new Error(journal.reason);
    await writeFile(journalPathOf(kit.partialPath), encodeJournal({ ...journal.journal, isClean: false }));
    const partial = await readFile(kit.partialPath);
    partial[5 * LEAF]! ^= 1;
    await writeFile(kit.partialPath, partial);
    const source = fakeSource(bytes);
    const result = await transfer(kit.options([source], { table }));
    expect(await isIdentical()).toBe(true);
    expect(result.resumedBytes).toBe(3 * MIB - LEAF);
    expect(result.digests).toEqual({ sha256 });
    expect(source.requests).toMatchObject([
      { range: { start: 3 * MIB } },
      { range: { start: 5 * LEAF, end: 6 * LEAF } },
    ]);
  });

  it('H01 finds leaves again that were written after the last checkpoint', async () => {
    await abortAfter(3 * MIB, { table });
    const journal = await readJournal();
    if (!journal.ok) throw new Error(journal.reason);
    const bitmap = Buffer.from(journal.journal.bitmap).fill(0, 1);
    await writeFile(journalPathOf(kit.partialPath), encodeJournal({ ...journal.journal, bitmap, isClean: false }));
    expect(await transfer(kit.options([fakeSource(bytes)], { table }))).toMatchObject({ resumedBytes: 3 * MIB });
  });

  it('survives any damage to the journal', async () => {
    await abortAfter(3 * MIB, { table });
    const journal = await readFile(journalPathOf(kit.partialPath));
    await copyFile(kit.partialPath, `${kit.partialPath}.kept`);
    const damage = fc.oneof(
      fc.nat({ max: journal.length }).map((length) => journal.subarray(0, length)),
      fc.tuple(fc.nat({ max: journal.length - 1 }), fc.integer({ min: 1, max: 255 })).map(([at, xor]) => {
        const copy = Buffer.from(journal);
        copy[at]! ^= xor;
        return copy;
      }),
      fc.uint8Array({ maxLength: 300 }).map((garbage) => Buffer.from(garbage)),
    );
    await fc.assert(
      fc.asyncProperty(damage, async (damaged) => {
        await copyFile(`${kit.partialPath}.kept`, kit.partialPath);
        await writeFile(journalPathOf(kit.partialPath), damaged);
        const source = fakeSource(bytes);
        const result = await transfer(kit.options([source], { table }));
        expect(await isIdentical()).toBe(true);
        expect(result.resumedBytes).toBe(3 * MIB);
      }),
      { numRuns: 25 },
    );
  });

  it('starts over when the only record of the pieces is a damaged journal', async () => {
    await abortAfter(2 * MIB, { file: byDigest });
    await truncate(journalPathOf(kit.partialPath), 50);
    const result = await transfer(kit.options([fakeSource(bytes)], { file: byDigest }));
    expect(await isIdentical()).toBe(true);
    expect(result.resumedBytes).toBe(0);
  });

  it('takes pieces over leaf by leaf once the table is known', async () => {
    await abortAfter(2 * MIB, { file: byDigest });
    const result = await transfer(kit.options([fakeSource(bytes)], { table, file: byDigest }));
    expect(result.resumedBytes).toBe(2 * MIB);
  });

  it('ignores bits beyond the end of a shortened partial', async () => {
    await abortAfter(3 * MIB, { table });
    await truncate(kit.partialPath, MIB + 5);
    const result = await transfer(kit.options([fakeSource(bytes)], { table }));
    expect(await isIdentical()).toBe(true);
    expect(result.resumedBytes).toBe(MIB);
  });

  it('records a clean stop, and the source of each unit', async () => {
    await abortAfter(2 * MIB, { table }, { name: 'mirror.example', etag: '"v1"' });
    expect(await readJournal()).toMatchObject({
      ok: true,
      journal: {
        isClean: true,
        sizeBytes: bytes.length,
        names: [{ source: 'mirror.example', validator: { etag: '"v1"' } }],
      },
    });
  });
});

describe('RE8 unproven partials', () => {
  const file = { sizeBytes: bytes.length, digests: {} };
  const etag = { etag: '"same"' };

  it('continues at half or more under the same strong validator', async () => {
    await abortAfter(2 * MIB, { file }, etag);
    expect(await transfer(kit.options([fakeSource(bytes, etag)], { file }))).toMatchObject({ resumedBytes: 2 * MIB });
    expect(await isIdentical()).toBe(true);
  });

  it('starts over below half', async () => {
    await abortAfter(2 * MIB - LEAF, { file }, etag);
    expect(await transfer(kit.options([fakeSource(bytes, etag)], { file }))).toMatchObject({ resumedBytes: 0 });
  });

  it('HR5 starts over when the validator has changed', async () => {
    await abortAfter(3 * MIB, { file }, etag);
    const result = await transfer(kit.options([fakeSource(bytes, { etag: '"other"' })], { file }));
    expect(await isIdentical()).toBe(true);
    expect(result.sources[0]!.bytes).toBe(bytes.length);
  });
});
