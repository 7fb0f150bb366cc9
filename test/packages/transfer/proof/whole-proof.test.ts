import { readFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { KIB, MIB } from '#core/units';
import { nodeFileOperations } from '#transfer/disk/file-operations';
import { transfer } from '#transfer/run/transfer';
import { fakeSource } from '../../../helpers/fake-source.ts';
import { bytesOf, sha256Of, transferKit } from '../../../helpers/transfer-kit.ts';

const LEAF = 256 * KIB;
const bytes = bytesOf(12 * MIB + 777);
const sha256 = sha256Of(bytes);
const byDigest = { sizeBytes: bytes.length, digests: { sha256 } };
/** Flips a bit of what begins the file. */
const spoilStart = (position: number, chunk: Uint8Array): void => {
  if (position === 0) chunk[70]! ^= 1;
};

let kit: Awaited<ReturnType<typeof transferKit>>;
beforeEach(async () => {
  kit = await transferKit();
});
afterEach(() => kit.remove());

const isIdentical = async () => bytes.equals(await readFile(kit.partialPath));

describe('whole-file proof', () => {
  it('HR6 fetches only the suspect source’s pieces again', async () => {
    const big = bytesOf(24 * MIB);
    const honest = fakeSource(big, { name: 'honest', bytesPerSecond: 100 * MIB });
    const liar = fakeSource(big, {
      name: 'liar',
      bytesPerSecond: 25 * MIB,
      corrupt: (_, chunk) => void (chunk[0]! ^= 1),
    });
    const file = { sizeBytes: big.length, digests: { sha256: sha256Of(big) } };
    const result = await transfer(kit.options([honest, liar], { file }));
    expect(big.equals(await readFile(kit.partialPath))).toBe(true);
    expect(result.verified).toBe('digest');
    expect(result.sources.find((s) => s.source === 'liar')).toMatchObject({ bytes: 0 });
    expect(result.wastedBytes).toBeLessThan(big.length);
    expect(result.wastedBytes).toBeGreaterThan(0);
  });

  it('RE6 drops all bytes of a source that alone sent a wrong file, and switches to the next', async () => {
    const liar = fakeSource(bytes, { name: 'liar', kind: 'ipfs-gateway', corrupt: spoilStart });
    const honest = fakeSource(bytes, { name: 'honest' });
    const result = await transfer(kit.options([liar, honest], { file: byDigest }));
    expect(await isIdentical()).toBe(true);
    expect(result.wastedBytes).toBe(bytes.length);
    expect(result.sources[0]).toMatchObject({ leftBecause: 'it sent corrupt bytes', bytes: 0 });
  });

  it('RE6 moves to the next layer after more than two switches', async () => {
    const liars = ['a', 'b', 'c', 'd', 'e'].map((name) =>
      fakeSource(bytes.subarray(0, LEAF), { name, kind: 'ipfs-gateway', corrupt: spoilStart }),
    );
    const hub = fakeSource(bytes.subarray(0, LEAF), { name: 'hub' });
    const file = { sizeBytes: LEAF, digests: { sha256: sha256Of(bytes.subarray(0, LEAF)) } };
    const result = await transfer(kit.options([...liars, hub], { file }));
    expect(liars.map((liar) => liar.requests.length)).toEqual([1, 1, 1, 0, 0]);
    expect(result.deepestLayer).toBe('origin');
  });

  it('B17 B12 forgets the size that a source with wrong bytes reported', async () => {
    const liar = fakeSource(Buffer.from('not found'), { name: 'liar', kind: 'ipfs-gateway' });
    const honest = fakeSource(bytes, { name: 'honest' });
    const result = await transfer(kit.options([liar, honest], { file: { digests: { sha256 } } }));
    expect(await isIdentical()).toBe(true);
    expect(result.sizeBytes).toBe(bytes.length);
  });

  it('CH3 refuses a file below minBytes', async () => {
    const small = fakeSource(Buffer.from('error'), { name: 'small', kind: 'ipfs-gateway' });
    const hub = fakeSource(bytes, { name: 'hub' });
    const result = await transfer(kit.options([small, hub], { file: { minBytes: MIB, digests: {} } }));
    expect(result.tries[0]).toMatchObject({ source: 'small', failure: { kind: 'size-mismatch' } });
    expect(result).toMatchObject({ verified: 'none', sizeBytes: bytes.length, digests: { sha256 } });
  });

  it('B25 HR5 reads a source once more, in one answer, whose bytes are of two versions', async () => {
    const older = Buffer.alloc(bytes.length, 7);
    const replaced = fakeSource(bytes, {
      etag: (n) => `"v${Math.min(n, 1)}"`,
      cutAfterBytes: (n) => (n === 0 ? 8 * MIB : undefined),
      corrupt: (position, chunk) => {
        if (replaced.requests.length === 1) chunk.set(older.subarray(position, position + chunk.length));
      },
    });
    const result = await transfer(kit.options([replaced], { file: { digests: { sha256 } } }));
    expect(await isIdentical()).toBe(true);
    expect(replaced.requests.at(-1)).not.toHaveProperty('range');
    expect(result.sources[0]).toMatchObject({ bytes: bytes.length, wastedBytes: bytes.length });
  });

  it('B25 HR5 drops the source when that answer is wrong too', async () => {
    const liar = fakeSource(Buffer.alloc(bytes.length, 7), {
      etag: (n) => `"v${n}"`,
      cutAfterBytes: (n) => (n % 2 === 0 ? 8 * MIB : undefined),
    });
    const transferred = transfer(kit.options([liar], { file: { digests: { sha256 } } }));
    await expect(transferred).rejects.toMatchObject({
      failures: expect.arrayContaining([expect.objectContaining({ kind: 'digest-mismatch' })]),
    });
    expect(liar.requests.length).toBeLessThanOrEqual(6);
  });

  it('HR3 never joins unproven bytes of two responses without one strong validator', async () => {
    const changing = fakeSource(bytes, {
      etag: (n) => `"v${n}"`,
      cutAfterBytes: (n) => (n === 0 ? 8 * MIB : undefined),
    });
    const result = await transfer(kit.options([changing], { file: { digests: {}, sizeBytes: bytes.length } }));
    expect(await isIdentical()).toBe(true);
    expect(changing.requests.at(-1)).not.toHaveProperty('range');
    expect(result.sources[0]!.bytes).toBe(bytes.length);
  });

  it('HR3 also drops bytes that a slow disk had not written when the next response came', async () => {
    const openPrivate = async (path: string) => {
      const file = await nodeFileOperations.openPrivate(path);
      const write = async (buffer: Uint8Array, position: number): Promise<number> => {
        for (let turn = 0; turn < 200; turn += 1) await new Promise((resolve) => setImmediate(resolve));
        return file.write(buffer, position);
      };
      return { ...file, write };
    };
    const older = Buffer.alloc(bytes.length, 7);
    const changing = fakeSource(bytes, {
      etag: (n) => `"v${n}"`,
      cutAfterBytes: (n) => (n === 0 ? 8 * MIB : undefined),
      corrupt: (position, chunk) => {
        if (changing.requests.length === 1) chunk.set(older.subarray(position, position + chunk.length));
      },
    });
    const file = { digests: {}, sizeBytes: bytes.length };
    await transfer(kit.options([changing], { file, fileOperations: { ...nodeFileOperations, openPrivate } }));
    expect(await isIdentical()).toBe(true);
  });
});
