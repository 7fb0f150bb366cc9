import { afterEach, describe, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Store } from '#store/open-store';
import { encodeTarHeader } from '#content/formats/tar-header';
import type { UnpackKind } from '#store/unpack';
import { zstdBomb, zstdOf } from '../../helpers/zstd.ts';
import { foreignTar, HOSTILE } from '../content/formats/tar-samples.ts';
import { removeTemporaryFolders, sha256Of, temporaryStore } from './temp-store.ts';

afterEach(removeTemporaryFolders);

const VIEW = { model: 'm', version: '1' };

const declared = (path: string, bytes: Buffer) => ({ path, sizeBytes: bytes.length, sha256: sha256Of(bytes) });

async function unpackInto(store: Store, as: UnpackKind, archive: Buffer, files: ReturnType<typeof declared>[]) {
  const archivePath = join(store.paths.home, 'archive');
  await writeFile(archivePath, archive);
  await store.unpack({ archivePath, path: `sub/archive.${as}`, as, files, view: VIEW });
}

const shown = (store: Store, path: string): Promise<Buffer> => readFile(join(store.paths.models, 'm', path));

const pack = { tar: (tar: Buffer) => tar, 'tar.gz': gzipSync, 'tar.zst': zstdOf };

describe('unpack', () => {
  const [a, b] = [randomBytes(300_000), Buffer.from('{"b":1}')];

  it('EX4 gives the file of a gzip', async () => {
    const store = await temporaryStore();
    await unpackInto(store, 'gzip', gzipSync(a), [declared('sub/a.bin', a)]);
    expect(sha256Of(await shown(store, 'sub/a.bin'))).toBe(sha256Of(a));
  });

  it('EX4 L03 gives the file of a zstd, and refuses a truncated one', async () => {
    const store = await temporaryStore();
    const packed = zstdOf(a);
    await expect(unpackInto(store, 'zstd', packed.subarray(0, 1000), [declared('sub/a.bin', a)])).rejects.toThrow(
      'damaged or truncated',
    );
    await unpackInto(store, 'zstd', packed, [declared('sub/a.bin', a)]);
    expect(sha256Of(await shown(store, 'sub/a.bin'))).toBe(sha256Of(a));
  });

  it('EX4 L01 stops a zstd bomb at the declared size', async () => {
    const store = await temporaryStore();
    const packed = zstdBomb(200_000_000);
    expect(packed.length).toBeLessThan(30_000);
    const file = { path: 'a', sizeBytes: 1000, sha256: '0'.repeat(64) };
    await expect(unpackInto(store, 'zstd', packed, [file])).rejects.toThrow('more than 1000 bytes');
    expect(await readdir(store.paths.partials)).toEqual([]);
  });

  it('EX4 L01 stops a bomb among the files that the manifest does not name', async () => {
    const store = await temporaryStore();
    const packed = zstdOf(encodeTarHeader('zeros', 2000 * 128 * 1024), 2000);
    expect(packed.length).toBeLessThan(10_000);
    await expect(unpackInto(store, 'tar.zst', packed, [declared('sub/a.bin', b)])).rejects.toThrow(
      '1000 times its size',
    );
    expect(await readdir(store.paths.partials)).toEqual([]);
  });

  const zeros = Buffer.alloc(160 * 128 * 1024);
  it.each([
    ['gzip', gzipSync(zeros)],
    ['zstd', zstdBomb(zeros.length)],
  ] as const)(
    'EX4 L30 gives zeros of their declared size out of a %s, however well they compress',
    async (as, packed) => {
      const store = await temporaryStore();
      expect(zeros.length / packed.length).toBeGreaterThan(1000);
      await unpackInto(store, as, packed, [declared('sub/zeros', zeros)]);
      expect((await shown(store, 'sub/zeros')).length).toBe(zeros.length);
    },
  );

  it('EX4 L30 takes a small declared file out of a tar whose other files are large', async () => {
    const store = await temporaryStore();
    const large = randomBytes(70 * 1024 * 1024);
    const tar = await foreignTar([
      { name: 'large.bin', text: large as unknown as string },
      { name: 'b.json', text: b as unknown as string },
    ]);
    for (const as of ['tar', 'tar.gz'] as const) {
      const packed = as === 'tar' ? tar : gzipSync(tar, { level: 0 });
      await unpackInto(store, as, packed, [declared('sub/b.json', b)]);
    }
    expect((await shown(store, 'sub/b.json')).toString()).toBe(b.toString());
  });

  it.each(['tar', 'tar.gz', 'tar.zst'] as const)(
    'EX4 gives the declared files of a %s and nothing else',
    async (as) => {
      const store = await temporaryStore();
      const tar = await foreignTar([
        { name: './a.bin', text: a as unknown as string },
        { name: 'README', text: 'not declared' },
        { name: 'sub/deep/b.json', text: b as unknown as string },
      ]);
      const files = [declared('sub/a.bin', a), declared('sub/deep/b.json', b)];
      await unpackInto(store, as, pack[as](tar), files);
      expect(sha256Of(await shown(store, 'sub/a.bin'))).toBe(sha256Of(a));
      expect((await shown(store, 'sub/deep/b.json')).toString()).toBe(b.toString());
      expect((await store.inventory()).fileCount).toBe(2);
      await unpackInto(store, as, pack[as](tar), files);
      expect(await readdir(store.paths.partials)).toEqual([]);
    },
  );

  it.each(HOSTILE)('L01 refuses a tar with %s, and publishes nothing', async (_name, entries, reason) => {
    const store = await temporaryStore();
    const tar = await foreignTar([{ name: 'ok', text: 'ok' }, ...entries]);
    await expect(unpackInto(store, 'tar', tar, [declared('ok', Buffer.from('ok'))])).rejects.toThrow(reason);
    expect((await store.inventory()).fileCount).toBe(0);
    expect(await readdir(store.paths.partials)).toEqual([]);
  });

  it.each([
    ['cut short', gzipSync(a).subarray(0, 1000), 'truncated'],
    ['no gzip', Buffer.from('<html>'), 'damaged'],
    ['longer than declared', gzipSync(Buffer.concat([a, a])), 'more than 300000 bytes'],
    ['shorter than declared', gzipSync(b), 'has 7 bytes, not 300000'],
    ['other bytes', gzipSync(randomBytes(300_000)), 'has SHA-256'],
  ])('L03 EX4 refuses a gzip that is %s', async (_name, archive, reason) => {
    const store = await temporaryStore();
    await expect(unpackInto(store, 'gzip', archive, [declared('a', a)])).rejects.toMatchObject({
      ...{ name: 'VerifyError' },
      message: expect.stringContaining(reason),
    });
    expect((await store.inventory()).fileCount).toBe(0);
    expect(await readdir(store.paths.partials)).toEqual([]);
  });

  it('EX4 publishes nothing when a declared file is missing', async () => {
    const store = await temporaryStore();
    const tar = await foreignTar([{ name: 'b', text: b as unknown as string }]);
    await expect(unpackInto(store, 'tar', tar, [declared('b', b), declared('a', a)])).rejects.toThrow('has no "a"');
    expect((await store.inventory()).fileCount).toBe(0);
  });
});
