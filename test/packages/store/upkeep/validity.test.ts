import { afterEach, describe, expect, it } from '@jest/globals';
import { createHash, randomBytes } from 'node:crypto';
import { chmod, copyFile, open, readFile, stat, truncate, unlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { LeafTable } from '#content/leaf/leaf-table';
import { DAY_MS, SECOND_MS } from '#core/units';
import type { LeafReader, StoreNotice } from '#store/context';
import { openStore, type Store } from '#store/open-store';
import { pacer } from '#store/upkeep/rolling-verify';
import { nodeFiles, type FileCalls } from '#os/file-calls';
import { until } from '../../../helpers/until.ts';
import {
  manualClock,
  partialOf,
  removeTemporaryFolders,
  sha256Of,
  temporaryFolder,
  temporaryStore,
} from '../temp-store.ts';

afterEach(removeTemporaryFolders);

const VIEW = { model: 'm', version: '1', path: 'weights.bin' };
const LEAF = 1000;

/** Leaf tables of raw leaves, each of LEAF bytes: the digests one after another. */
const leaves: LeafReader = {
  decode: (digests) => {
    const count = digests.length / 32;
    const starts = Float64Array.from({ length: count + 1 }, (_, index) => index * LEAF);
    return { count, starts, digests } as unknown as LeafTable;
  },
  matches: (table, index, bytes) =>
    createHash('sha256')
      .update(bytes)
      .digest()
      .equals(table.digests.subarray(index * 32, index * 32 + 32)),
};

const tableOf = (bytes: Buffer): Buffer =>
  Buffer.concat(
    Array.from({ length: bytes.length / LEAF }, (_, index) =>
      createHash('sha256')
        .update(bytes.subarray(index * LEAF, (index + 1) * LEAF))
        .digest(),
    ),
  );

/** Changes one byte, and leaves size, mtime and inode alone. */
async function rot(path: string, position: number): Promise<void> {
  const { atime, mtime } = await stat(path);
  await chmod(path, 0o644);
  const handle = await open(path, 'r+');
  const byte = Buffer.alloc(1);
  await handle.read(byte, 0, 1, position);
  byte[0]! ^= 0xff;
  await handle.write(byte, 0, 1, position);
  await handle.close();
  await utimes(path, atime, mtime);
}

async function published(store: Store, bytes: Buffer) {
  return store.publish({ ...(await partialOf(store, bytes, VIEW)), cid: 'bafkcid', table: tableOf(bytes) });
}

describe('the check of content', () => {
  it('CH4 HD12 hashes on the first use after a start, then trusts size, mtime and inode', async () => {
    const home = await temporaryFolder();
    const bytes = randomBytes(5000);
    const digests = { sha256: sha256Of(bytes) };
    await published(await openStore({ home }), bytes);
    let reads = 0;
    const fs = {
      ...nodeFiles,
      open: ((...args: Parameters<typeof nodeFiles.open>) => {
        if (String(args[0]).includes('blobs/sha256') && args[1] === 'r') reads += 1;
        return nodeFiles.open(...args);
      }) as typeof nodeFiles.open,
    };
    const store = await openStore({ home, fs });
    expect(await store.find({ digests })).toBeDefined();
    expect(reads).toBe(1);
    expect(await store.find({ digests })).toBeDefined();
    expect(reads).toBe(1);
  });

  it('G14 VE3 finds rot after a restart, quarantines the file, and repairs only the bad leaf', async () => {
    const notices: StoreNotice[] = [];
    const home = await temporaryFolder();
    const bytes = randomBytes(5 * LEAF);
    const blob = await published(await openStore({ home, leaves }), bytes);
    await rot(blob.path, 2500);
    const store = await openStore({ home, leaves, onNotice: (notice) => notices.push(notice) });
    expect(await store.find({ digests: { sha256: blob.sha256 } })).toBeUndefined();
    await expect(stat(join(store.paths.models, 'm/weights.bin'))).rejects.toMatchObject({ code: 'ENOENT' });
    expect(notices).toMatchObject([
      { notice: 'corrupt', sha256: blob.sha256, views: [{ model: 'm', path: 'weights.bin' }] },
    ]);
    expect((await store.records()).get('m')!.versions.get('1')!.files.get('weights.bin')!.invalid).toMatch(
      /^wrong-digest/,
    );

    const aside = (await store.repairCandidate(blob.sha256))!;
    expect(aside).toMatch(/\.bak$/);
    expect(JSON.parse(await readFile(`${aside}.json`, 'utf8'))).toMatchObject({ reason: 'wrong-digest' });
    expect(await store.badRanges(aside, 'bafkcid')).toEqual([{ start: 2000, end: 3000 }]);

    await store.publish(await partialOf(store, bytes, VIEW));
    expect(sha256Of(await readFile(join(store.paths.models, 'm/weights.bin')))).toBe(blob.sha256);
    expect((await store.records()).get('m')!.versions.get('1')!.files.get('weights.bin')!.invalid).toBeUndefined();
  });

  it('VE3 verify finds rot that keeps size, mtime and inode, and says which bytes', async () => {
    const store = await temporaryStore({ leaves });
    const blob = await published(store, randomBytes(5 * LEAF));
    expect(await store.verify()).toMatchObject({ checkedFiles: 1, checkedBytes: 5 * LEAF, problems: [] });
    await rot(blob.path, 10);
    expect(await store.find({ digests: { sha256: blob.sha256 } })).toBeDefined();
    expect((await store.verify({ model: 'other' })).problems).toEqual([]);
    expect((await store.verify({ model: 'm' })).problems).toMatchObject([
      { sha256: blob.sha256, reason: 'wrong-digest', badRanges: [{ start: 0, end: 1000 }] },
    ]);
    expect((await store.verify()).problems).toEqual([]);
  });

  it('keeps the leaf table of a CID in any spelling, before and after the file', async () => {
    const store = await temporaryStore();
    const cid = 'bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy';
    expect(await store.readLeaves(cid)).toEqual({ table: undefined, inner: undefined });
    await store.writeLeaves(`ipfs://${cid}`, { table: Buffer.from('t'), inner: Buffer.from('i') });
    expect(await store.readLeaves(cid)).toEqual({ table: Buffer.from('t'), inner: Buffer.from('i') });
    await expect(store.readLeaves('../x')).rejects.toThrow(RangeError);
  });

  it('CH4 deletes a file of the wrong size and asks for it again', async () => {
    const store = await temporaryStore();
    const blob = await published(store, randomBytes(5000));
    await chmod(blob.path, 0o644);
    await truncate(blob.path, 4000);
    expect(await store.find({ digests: { sha256: blob.sha256 } })).toBeUndefined();
    await expect(stat(blob.path)).rejects.toMatchObject({ code: 'ENOENT' });
    expect(await store.repairCandidate(blob.sha256)).toBeUndefined();
  });

  it('CH4 quarantines a file whose header is not that of its format', async () => {
    const store = await temporaryStore();
    const bytes = Buffer.from('<html>not a model</html>');
    const blob = await store.publish(await partialOf(store, bytes));
    expect(await store.find({ digests: { sha256: blob.sha256 }, path: 'model.gguf' })).toBeUndefined();
    expect(await store.repairCandidate(blob.sha256)).toBeDefined();
  });

  it('G06 a disk that cannot be read says nothing about the content', async () => {
    const home = await temporaryFolder();
    const blob = await published(await openStore({ home }), randomBytes(100));
    const open = async (...args: Parameters<FileCalls['open']>) => {
      if (args[1] !== 'r') return nodeFiles.open(...args);
      throw Object.assign(new Error('EIO'), { code: 'EIO' });
    };
    const store = await openStore({ home, fs: { ...nodeFiles, open } });
    await expect(store.find({ digests: { sha256: blob.sha256 } })).rejects.toMatchObject({ kind: 'io' });
    expect((await stat(blob.path)).size).toBe(100);
  });

  it('G16 makes a view again that was replaced or deleted', async () => {
    const store = await temporaryStore();
    const bytes = randomBytes(100);
    await published(store, bytes);
    const view = join(store.paths.models, 'm/weights.bin');
    await unlink(view);
    await writeFile(view, 'mine');
    expect((await store.verify()).repairedViews).toEqual([view]);
    expect(sha256Of(await readFile(view))).toBe(sha256Of(bytes));
    await unlink(view);
    const again = await openStore({ home: store.paths.home });
    expect(sha256Of(await readFile(view))).toBe(sha256Of(bytes));
    expect((await again.verify()).repairedViews).toEqual([]);
  });

  it('leaves a good blob alone that took the place of a bad one during the check', async () => {
    const store = await temporaryStore();
    const bytes = randomBytes(5000);
    const blob = await published(store, bytes);
    await rot(blob.path, 1);
    const pace = async (): Promise<void> => {
      const fresh = `${blob.path}.new`;
      await writeFile(fresh, bytes);
      await nodeFiles.rename(fresh, blob.path);
    };
    await store.find({ digests: { sha256: blob.sha256 } }, { depth: 'full', pace });
    expect(await store.find({ digests: { sha256: blob.sha256 } }, { depth: 'full' })).toBeDefined();
  });
});

describe('rollingVerify', () => {
  it('CH4 hashes what is due, within its budget, and finds rot', async () => {
    const clock = manualClock(Date.now());
    const notices: StoreNotice[] = [];
    const store = await temporaryStore({ clock, onNotice: (notice) => notices.push(notice) });
    const blob = await published(store, randomBytes(5000));
    await copyFile(blob.path, `${store.paths.home}/copy`);
    await rot(blob.path, 5);
    clock.advance(7 * DAY_MS + SECOND_MS);
    const rolling = store.rollingVerify({ bytesPerSecond: 1000 });
    const startedMs = clock.monotonic();
    rolling.start();
    await until(() => notices.length === 1, { what: 'the rot is found' });
    expect(clock.monotonic() - startedMs).toBeGreaterThanOrEqual(5 * SECOND_MS);
    await rolling.stop();
    await rolling.stop();
  });

  it('waits so that the bytes read fit the budget', async () => {
    const clock = manualClock(0);
    const pace = pacer(clock, 1000, new AbortController().signal);
    for (let block = 0; block < 10; block += 1) await pace(500);
    expect(clock.monotonic()).toBe(5 * SECOND_MS);
  });
});
