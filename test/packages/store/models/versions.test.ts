import { afterEach, describe, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { readFile, readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { inventoryDigest } from '#store/inventory';
import type { Store } from '#store/open-store';
import { blobPath } from '#store/layout';
import { partialOf, removeTemporaryFolders, sha256Of, temporaryStore } from '../temp-store.ts';

afterEach(removeTemporaryFolders);

async function put(store: Store, version: string, files: Record<string, string>): Promise<void> {
  const versionFileCount = Object.keys(files).length;
  for (const [path, text] of Object.entries(files))
    await store.publish(await partialOf(store, Buffer.from(text), { model: 'm', version, path, versionFileCount }));
}

const shown = (store: Store, path: string): Promise<string> => readFile(join(store.paths.models, 'm', path), 'utf8');

describe('versions', () => {
  it('HD13 rolls back by flipping the views, without a byte moved, also where a file became a folder', async () => {
    const store = await temporaryStore();
    await put(store, '1', { a: 'a1', 'dir/b': 'b1', only1: 'x' });
    await put(store, '2', { 'a/deep': 'a2', dir: 'b2' });
    expect([await shown(store, 'a/deep'), await shown(store, 'dir')]).toEqual(['a2', 'b2']);
    expect(await readdir(join(store.paths.models, 'm'))).toEqual(['a', 'dir']);
    expect(await store.rollback('m')).toBe('1');
    expect([await shown(store, 'a'), await shown(store, 'dir/b'), await shown(store, 'only1')]).toEqual([
      'a1',
      'b1',
      'x',
    ]);
    expect((await store.records()).get('m')).toMatchObject({ version: '1', previousVersion: '2' });
    expect(await store.rollback('m')).toBe('2');
    expect(await shown(store, 'dir')).toBe('b2');
  });

  it('VE6 a pinned version stays in place when a newer one arrives; nothing changes by itself after unpinning', async () => {
    const store = await temporaryStore();
    await put(store, '1', { a: 'a1' });
    await store.pin('m', true);
    await put(store, '2', { a: 'a2' });
    expect(await shown(store, 'a')).toBe('a1');
    expect(JSON.parse(await readFile(store.paths.manifests, 'utf8'))).toMatchObject({
      models: { m: { version: '1', pinned: true, otherVersions: { 2: { pinned: false } } } },
    });
    await store.pin('m', false);
    expect(await shown(store, 'a')).toBe('a1');
    await store.activate('m', '2');
    expect(await shown(store, 'a')).toBe('a2');
  });

  it('refuses to show a version that is not all here, and names what is missing', async () => {
    const store = await temporaryStore();
    await put(store, '1', { a: 'a1' });
    await put(store, '2', { a: 'a2' });
    await unlink(blobPath(store.paths, sha256Of(Buffer.from('a1'))));
    await expect(store.rollback('m')).rejects.toThrow('a must be fetched again first');
    await expect(store.activate('m', '9')).rejects.toThrow('it has: 1, 2');
    await expect(store.pin('n', true)).rejects.toThrow('model "n" is not on this host; it has: m');
  });
});

describe('inventory', () => {
  it('has one digest for the same content whatever the order and the time of proof', async () => {
    const [a, b] = [await temporaryStore(), await temporaryStore()];
    await put(a, '1', { x: '1', y: '2' });
    await put(b, '1', { y: '2', x: '1' });
    const [first, second] = [await a.inventory(), await b.inventory()];
    expect(first.digest).toBe(second.digest);
    expect(first).toMatchObject({ fileCount: 2, storeBytes: 2 });
    expect(inventoryDigest([...first.entries].reverse())).toBe(first.digest);
  });

  it('changes when content goes, comes or is bad, and lists content without a name', async () => {
    const store = await temporaryStore();
    await put(store, '1', { x: '1' });
    const before = await store.inventory();
    const loose = await store.publish(await partialOf(store, randomBytes(9)));
    const after = await store.inventory();
    expect(after.digest).not.toBe(before.digest);
    expect(after.entries).toContainEqual(
      expect.objectContaining({ sha256: loose.sha256, model: null, state: 'valid' }),
    );
    await unlink(blobPath(store.paths, sha256Of(Buffer.from('1'))));
    expect((await store.inventory()).entries).toContainEqual(expect.objectContaining({ path: 'x', state: 'invalid' }));
  });
});
