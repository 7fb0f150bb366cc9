import { afterEach, describe, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Store } from '#store/open-store';
import { encodeTarHeader } from '#content/archives/tar-header';
import type { UnpackKind } from '#store/blobs/unpack';
import { zstdBomb, zstdOf } from '../../../helpers/zstd.ts';
import { DOUBLED, foreignTar, HOSTILE, rawTar, type Entry } from '../../content/archives/tar-samples.ts';
import { removeTemporaryFolders, sha256Of, temporaryStore } from '../temp-store.ts';

afterEach(removeTemporaryFolders);

const VIEW = { model: 'm', version: '1' };

const declared = (path: string, bytes: Buffer) => ({ path, sizeBytes: bytes.length, sha256: sha256Of(bytes) });

async function unpackInto(store: Store, as: UnpackKind, archive: Buffer, files: ReturnType<typeof declared>[]) {
  const archivePath = join(store.paths.home, 'archive');
  await writeFile(archivePath, archive);
  return store.unpack({ archivePath, path: `sub/archive.${as}`, as, files, view: VIEW });
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

  const ok = declared('ok', Buffer.from('ok'));

  it.each([...HOSTILE, ...DOUBLED])('L01 L22 counts %s that the manifest does not name', async (_name, entries) => {
    const store = await temporaryStore();
    const tar = await foreignTar([...entries, { name: 'ok', text: 'ok' }]);
    const unpacked = await unpackInto(store, 'tar', tar, [ok]);
    expect(unpacked).toEqual({ publishedFiles: 1, skippedEntries: entries.length });
    expect((await shown(store, 'ok')).toString()).toBe('ok');
    expect((await store.inventory()).fileCount).toBe(1);
  });

  it.each<[string, Entry[], string]>([
    ['a symbolic link', [{ name: 'ok', type: 'symlink', linkname: 'b' }], 'has "ok", which is a symbolic link'],
    ['a hard link', [{ name: 'ok', type: 'link', linkname: 'b' }], 'has "ok", which is a hard link'],
    ['a device', [{ name: 'ok', type: 'character-device' }], 'has "ok", which is a character device'],
    ['an absolute name', [{ name: '/ok', text: 'ok' }], 'has "/ok", which is absolute'],
    ['a way round', [{ name: 'x/../ok', text: 'ok' }], 'has "x/../ok", which has the segment ".."'],
  ])('L01 refuses by name a declared file that is %s, and publishes nothing', async (_what, entries, reason) => {
    const store = await temporaryStore();
    for (const as of ['tar', 'tar.gz', 'tar.zst'] as const) {
      const archive = pack[as](await foreignTar([{ name: 'b', text: 'ok' }, ...entries]));
      const files = [declared('b', Buffer.from('ok')), ok];
      await expect(unpackInto(store, as, archive, files)).rejects.toThrow(reason);
    }
    expect((await store.inventory()).fileCount).toBe(0);
    expect(await readdir(store.paths.partials)).toEqual([]);
  });

  it.each<[string, Entry[]]>([
    ['before it', [{ name: 'ok', text: 'no' }]],
    ['longer', [{ name: 'ok', text: 'longer' }]],
    ['a link', [{ name: './ok', type: 'symlink', linkname: '/etc/passwd' }]],
  ])(
    'L22 takes of two entries of one name the one with the declared digest: the other is %s',
    async (_what, others) => {
      const store = await temporaryStore();
      for (const entries of [
        [...others, { name: 'ok', text: 'ok' }],
        [{ name: 'ok', text: 'ok' }, ...others],
      ]) {
        await unpackInto(store, 'tar', await foreignTar(entries), [ok]);
        expect((await shown(store, 'ok')).toString()).toBe('ok');
      }
      expect(await readdir(store.paths.partials)).toEqual([]);
    },
  );

  it('L23 EX4 gives a sparse file whole', async () => {
    const store = await temporaryStore();
    const bytes = Buffer.from('\0\0AB\0\0\0C\0');
    const fields = {
      257: 'ustar  \0',
      386: '00000000002\x0000000000002\0',
      410: '00000000007\x0000000000001\0',
      483: '00000000011\0',
    };
    const tar = rawTar({ name: 's', type: 'S', content: Buffer.from('ABC'), fields });
    await unpackInto(store, 'tar', tar, [declared('s', bytes)]);
    expect(await shown(store, 's')).toEqual(bytes);
  });

  it('L03 refuses damage of the compressed data behind the end mark', async () => {
    const store = await temporaryStore();
    const archive = gzipSync(await foreignTar([{ name: 'ok', text: 'ok' }]));
    await expect(unpackInto(store, 'tar.gz', archive.subarray(0, -4), [ok])).rejects.toThrow('damaged or truncated');
    expect((await store.inventory()).fileCount).toBe(0);
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
