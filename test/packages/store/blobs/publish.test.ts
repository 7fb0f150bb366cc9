import { afterEach, describe, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, readFile, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { StorageError } from '#core/failure';
import { blobPath } from '#store/layout';
import { openStore } from '#store/open-store';
import { nodeFiles } from '#os/file-calls';
import { partialOf, removeTemporaryFolders, sha256Of, temporaryFolder, temporaryStore } from '../temp-store.ts';

afterEach(removeTemporaryFolders);

const VIEW = { model: 'whisper-base', version: '1.0', path: 'encoder/model.bin' };

describe('publish', () => {
  it('HD6 makes a read-only blob named by content, a view and the records', async () => {
    const store = await temporaryStore();
    const bytes = randomBytes(3000);
    const published = await store.publish(await partialOf(store, bytes, { ...VIEW, hfRevision: 'abc' }));
    expect(published.path).toBe(blobPath(store.paths, sha256Of(bytes)));
    expect((await stat(published.path)).mode & 0o777).toBe(0o444);
    const view = join(store.paths.models, 'whisper-base/encoder/model.bin');
    expect((await stat(view)).ino).toBe((await stat(published.path)).ino);
    expect(await readdir(store.paths.partials)).toEqual([]);
  });

  it('VE1 writes .manifests.json so that an application reads it without us', async () => {
    const store = await temporaryStore();
    const bytes = randomBytes(100);
    const sources = [{ kind: 'mirror', url: 'https://mirror.example/model.bin' }] as const;
    const published = { type: 'stt', ipfsHash: 'bafyfolder', hfRevision: 'abc', sources };
    await store.publish(await partialOf(store, bytes, { ...VIEW, ...published }));
    const json = JSON.parse(await readFile(store.paths.manifests, 'utf8')) as unknown;
    expect(json).toMatchObject({
      schema: 'haulier.manifests/v1',
      models: {
        'whisper-base': {
          version: '1.0',
          ...{ type: 'stt', ipfsHash: 'bafyfolder', hfRevision: 'abc' },
          pinned: false,
          previousVersion: null,
          downloadedAt: expect.stringMatching(/^\d{4}-.*Z$/),
          files: { 'encoder/model.bin': { sha256: sha256Of(bytes), sizeBytes: 100, sources } },
          otherVersions: {},
        },
      },
    });
  });

  it('leaves a leaf table that is there with the same bytes, and replaces one with others', async () => {
    const store = await temporaryStore();
    const cid = 'bafkcid';
    const tables = async () => {
      const names = (await readdir(store.paths.leaves)).sort();
      return Promise.all(names.map(async (name) => (await stat(join(store.paths.leaves, name))).ino));
    };
    await store.writeLeaves(cid, { table: Buffer.from('table'), inner: Buffer.from('nodes') });
    const [inner, leaves] = await tables();
    await store.writeLeaves(cid, { table: Buffer.from('table'), inner: Buffer.from('other') });
    const after = await tables();
    expect(after[1]).toBe(leaves);
    expect(after[0]).not.toBe(inner);
    expect((await store.readLeaves(cid)).inner).toEqual(Buffer.from('other'));
  });

  it('finds content by sha256, by CID and by another digest after a restart', async () => {
    const home = await temporaryFolder();
    const store = await openStore({ home });
    const bytes = randomBytes(500);
    const request = await partialOf(store, bytes);
    await store.publish({ ...request, cid: 'bafkcid', digests: { md5: 'd'.repeat(32) } });
    const again = await openStore({ home });
    for (const spec of [
      { digests: { sha256: request.sha256 } },
      { digests: {}, cid: 'bafkcid' },
      { digests: { md5: 'd'.repeat(32) } },
    ])
      expect(await again.find(spec)).toMatchObject({ sha256: request.sha256, sizeBytes: 500, cid: 'bafkcid' });
    expect(await again.find({ digests: { sha256: request.sha256, md5: 'e'.repeat(32) } })).toBeUndefined();
  });

  it('does not destroy good content when a manifest names a wrong size', async () => {
    const store = await temporaryStore();
    const request = await partialOf(store, randomBytes(500));
    await store.publish(request);
    expect(await store.find({ digests: { sha256: request.sha256 }, sizeBytes: 400 })).toBeUndefined();
    expect(await store.find({ digests: { sha256: request.sha256 } })).toBeDefined();
  });

  it('H05 H06 two openings publish the same content at once and share one blob', async () => {
    const home = await temporaryFolder();
    const [a, b] = await Promise.all([openStore({ home }), openStore({ home })]);
    const bytes = randomBytes(200_000);
    await Promise.all([
      a.publish(await partialOf(a, bytes, VIEW)),
      b.publish(await partialOf(b, bytes, { ...VIEW, model: 'other' })),
    ]);
    const blob = await stat(blobPath(a.paths, sha256Of(bytes)));
    expect([...(await a.records()).keys()].sort()).toEqual(['other', 'whisper-base']);
    for (const model of ['whisper-base', 'other'])
      expect(sha256Of(await readFile(join(a.paths.models, model, VIEW.path)))).toBe(sha256Of(bytes));
    expect(blob.size).toBe(200_000);
  });

  it('H08 a reader during replaces sees the whole old file or the whole new one', async () => {
    const store = await temporaryStore();
    const contents = Array.from({ length: 12 }, () => randomBytes(50_000));
    const known = new Set(contents.map(sha256Of));
    await store.publish(await partialOf(store, contents[0]!, VIEW));
    const view = join(store.paths.models, VIEW.model, VIEW.path);
    let publishing = true;
    const reads = (async () => {
      let count = 0;
      for (; publishing; count += 1) expect(known.has(sha256Of(await readFile(view)))).toBe(true);
      return count;
    })();
    for (const [index, bytes] of contents.entries())
      await store.publish(await partialOf(store, bytes, { ...VIEW, version: `1.${index}` }));
    publishing = false;
    expect(await reads).toBeGreaterThan(0);
  });

  it('keeps the older version in place until the last file of the new one is here', async () => {
    const store = await temporaryStore();
    const paths = ['a.bin', 'b.bin'];
    const put = async (version: string, path: string, text: string): Promise<void> => {
      await store.publish(
        await partialOf(store, Buffer.from(text), { model: 'm', version, path, versionFileCount: 2 }),
      );
    };
    const shown = async (): Promise<string[]> =>
      Promise.all(paths.map((path) => readFile(join(store.paths.models, 'm', path), 'utf8')));
    await put('1', 'a.bin', 'a1');
    expect((await store.records()).get('m')?.version).toBe('1');
    await put('1', 'b.bin', 'b1');
    await put('2', 'a.bin', 'a2');
    expect(await shown()).toEqual(['a1', 'b1']);
    await put('2', 'b.bin', 'b2');
    expect(await shown()).toEqual(['a2', 'b2']);
    expect((await store.records()).get('m')).toMatchObject({ version: '2', previousVersion: '1' });
  });

  it('CH8 a file that is entered again is a look at the disk, and writes nothing', async () => {
    const store = await temporaryStore();
    const published = await store.publish(await partialOf(store, randomBytes(10), VIEW));
    const before = await stat(store.paths.manifests);
    await store.ensureView(published, VIEW);
    expect((await stat(store.paths.manifests)).ino).toBe(before.ino);
    await store.ensureView(published, { ...VIEW, path: 'second.bin' });
    expect((await stat(join(store.paths.models, 'whisper-base/second.bin'))).ino).toBe(
      (await stat(published.path)).ino,
    );
  });

  it('HN3 G22 refuses two paths that collide on a disk that folds case', async () => {
    const store = await temporaryStore();
    await store.publish(await partialOf(store, Buffer.from('1'), { ...VIEW, path: 'Model.bin' }));
    await expect(
      store.publish(await partialOf(store, Buffer.from('2'), { ...VIEW, path: 'model.bin' })),
    ).rejects.toMatchObject({ kind: 'unsafe-path', message: expect.stringContaining('collide') });
  });

  it.each(['../../etc/passwd', '/abs', 'a//b', 'C:\\x', 'con', 'a/../b'])('HN1 refuses the path %s', async (path) => {
    const store = await temporaryStore();
    await expect(store.publish(await partialOf(store, Buffer.from('x'), { ...VIEW, path }))).rejects.toMatchObject({
      name: 'StorageError',
      kind: 'unsafe-path',
    });
  });

  it('HN2 refuses a folder that leads out of the model through a link', async () => {
    const store = await temporaryStore();
    const outside = await temporaryFolder();
    await mkdir(join(store.paths.models, 'whisper-base'));
    await symlink(outside, join(store.paths.models, 'whisper-base/encoder'));
    await expect(store.publish(await partialOf(store, Buffer.from('x'), VIEW))).rejects.toMatchObject({
      kind: 'unsafe-path',
    });
    expect(await readdir(outside)).toEqual([]);
  });

  it.each(['EXDEV', 'EPERM', 'EMLINK'])(
    'G01 a view becomes a copy where a hard link is refused with %s',
    async (code) => {
      const refuse = async (): Promise<void> => {
        throw Object.assign(new Error(code), { code });
      };
      const store = await temporaryStore({ fs: { ...nodeFiles, link: refuse } });
      const bytes = randomBytes(9000);
      const published = await store.publish(await partialOf(store, bytes, VIEW));
      const view = join(store.paths.models, VIEW.model, VIEW.path);
      expect(sha256Of(await readFile(view))).toBe(sha256Of(bytes));
      expect((await stat(view)).ino).not.toBe((await stat(published.path)).ino);
    },
  );

  it('shows symlinks where the host chose them', async () => {
    const store = await temporaryStore({ linkMode: 'symlink' });
    const bytes = randomBytes(90);
    await store.publish(await partialOf(store, bytes, VIEW));
    const view = join(store.paths.models, VIEW.model, VIEW.path);
    expect((await nodeFiles.lstat(view)).isSymbolicLink()).toBe(true);
    expect(sha256Of(await readFile(view))).toBe(sha256Of(bytes));
  });

  it.each([
    ['ENOSPC', 'disk-full'],
    ['EDQUOT', 'disk-full'],
    ['EROFS', 'read-only'],
    ['EACCES', 'denied'],
    ['EIO', 'io'],
    ['EMFILE', 'io'],
    ['ESTALE', 'io'],
    ['EFBIG', 'io'],
  ])('G01 G03 G04 G05 G08 G09 G17 G20 %s at the rename keeps the partial and says %s', async (code, kind) => {
    const fail = async (): Promise<void> => {
      throw Object.assign(new Error(code), { code });
    };
    const home = await temporaryFolder();
    const healthy = await openStore({ home });
    const request = await partialOf(healthy, randomBytes(100));
    const store = await openStore({ home, fs: { ...nodeFiles, rename: fail } }).catch((error: unknown) => error);
    const broken = store as typeof healthy;
    const refused = await broken.publish(request).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(StorageError);
    expect(refused).toMatchObject({ kind });
    expect((await stat(request.partialPath)).size).toBe(100);
    expect(await healthy.publish(request)).toMatchObject({ sha256: request.sha256 });
  });

  it('G10 makes the folders again when they were deleted while running', async () => {
    const store = await temporaryStore();
    const request = await partialOf(store, randomBytes(100), VIEW);
    await rm(store.paths.blobs, { recursive: true });
    await rm(store.paths.models, { recursive: true });
    await rm(store.paths.facts, { recursive: true });
    await store.publish(request);
    expect(await store.find({ digests: { sha256: request.sha256 } })).toBeDefined();
  });

  it.each(['', '{"schema": "haulier.man', '[]', '{"schema":"haulier.manifests/v1","models":{"m":{}}}'])(
    'G12 sets damaged records %j aside and goes on',
    async (text) => {
      const store = await temporaryStore();
      await writeFile(store.paths.manifests, text);
      await store.publish(await partialOf(store, randomBytes(10), VIEW));
      expect([...(await store.records()).keys()]).toEqual(['whisper-base']);
      expect((await readdir(store.paths.quarantine)).some((name) => name.startsWith('manifests.json-'))).toBe(true);
    },
  );

  it('G12 refuses records of a newer program', async () => {
    const store = await temporaryStore();
    await writeFile(store.paths.manifests, '{"schema":"haulier.manifests/v2","models":{}}');
    await expect(store.records()).rejects.toMatchObject({ kind: 'newer-layout' });
  });

  it('refuses a partial that changed after it was verified', async () => {
    const store = await temporaryStore();
    const request = await partialOf(store, randomBytes(10));
    await expect(store.publish({ ...request, sizeBytes: 11 })).rejects.toThrow('10 bytes where 11 were verified');
  });

  it('publishes a partial that a crash left read-only', async () => {
    const store = await temporaryStore();
    const request = await partialOf(store, randomBytes(10));
    await chmod(request.partialPath, 0o444);
    expect(await store.publish(request)).toMatchObject({ sizeBytes: 10 });
  });
});
