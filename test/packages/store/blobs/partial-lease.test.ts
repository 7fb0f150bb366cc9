import { afterEach, describe, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { readFile, readdir, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { LeasedPartial, PartialOutcome } from '#os/lease/leased-partial';
import { openStore, type Store } from '#store/open-store';
import { contentKey } from '#store/blobs/partial-lease';
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

const KEY = 'a'.repeat(64);
const never = async (): Promise<undefined> => undefined;

const taken = (outcome: PartialOutcome<unknown>): LeasedPartial => {
  if (!('partial' in outcome)) throw new Error('found something instead of a partial');
  return outcome.partial;
};

describe('leaseContent', () => {
  it('CH8 lets the second asker wait and hands it what the first one published', async () => {
    const home = await temporaryFolder();
    const [a, b] = [await openStore({ home }), await openStore({ home })];
    const bytes = randomBytes(1000);
    const digests = { sha256: sha256Of(bytes) };
    const key = contentKey({ path: 'x', digests, sources: [] });
    const first = taken(await a.leaseContent(key, { find: () => a.find({ digests }) }));
    let waits = false;
    const second = b.leaseContent(key, {
      find: () => b.find({ digests }),
      pollMs: 5,
      onWaiting: (heldBy) => {
        waits = heldBy?.process.pid === process.pid;
      },
    });
    await until(() => waits, { what: 'the second asker waits' });
    await writeFile(first.partialPath, bytes);
    await a.publish({ partialPath: first.partialPath, sha256: digests.sha256, sizeBytes: 1000 });
    await first.discard();
    expect(await second).toMatchObject({ found: { sha256: digests.sha256 } });
    expect(await readdir(a.paths.partials)).toEqual([]);
  });

  it('CH8 does the work once for many askers', async () => {
    const store = await temporaryStore();
    const bytes = randomBytes(100);
    const digests = { sha256: sha256Of(bytes) };
    let transfers = 0;
    const ask = async (): Promise<void> => {
      const outcome = await store.leaseContent(digests.sha256, { find: () => store.find({ digests }), pollMs: 5 });
      if ('found' in outcome) return;
      transfers += 1;
      await writeFile(outcome.partial.partialPath, bytes);
      await store.publish({ partialPath: outcome.partial.partialPath, sha256: digests.sha256, sizeBytes: 100 });
      await outcome.partial.discard();
    };
    await Promise.all(Array.from({ length: 12 }, ask));
    expect(transfers).toBe(1);
  });

  it('a retry finds the partial of the attempt before, with its journal', async () => {
    const store = await temporaryStore();
    const first = taken(await store.leaseContent(KEY, { find: never }));
    expect(first.resumed).toBe(false);
    await writeFile(first.partialPath, 'half');
    await writeFile(`${first.partialPath}.journal`, 'j');
    await first.release();
    const second = taken(await store.leaseContent(KEY, { find: never }));
    expect(second).toMatchObject({ resumed: true, partialPath: first.partialPath, salvage: [] });
    await second.discard();
    expect(await readdir(store.paths.partials)).toEqual([]);
  });

  it('HD9 takes over at once from a process that is proven gone, with its partial', async () => {
    const store = await temporaryStore();
    const first = taken(await store.leaseContent(KEY, { find: never }));
    await writeFile(first.partialPath, 'half');
    const lease = join(store.paths.partials, `${KEY}.lease`);
    const record = JSON.parse(await readFile(lease, 'utf8')) as { process: { started: string } };
    await writeFile(lease, JSON.stringify({ ...record, process: { ...record.process, started: '1' } }));
    const second = taken(await store.leaseContent(KEY, { find: never }));
    expect(second).toMatchObject({ resumed: true, partialPath: first.partialPath });
    await second.discard();
  });

  it('G18 HD7 HD9 a silent holder that may still live is displaced, and its partial only salvaged', async () => {
    const clock = manualClock(Date.now());
    const store = await temporaryStore({ clock });
    const first = taken(await store.leaseContent(KEY, { find: never }));
    await writeFile(first.partialPath, 'half');
    const second = taken(await store.leaseContent(KEY, { find: never, ttlMs: 15_000, pollMs: 1000 }));
    expect(clock.monotonic()).toBeGreaterThanOrEqual(15_000);
    expect(second.resumed).toBe(false);
    expect(second.partialPath).not.toBe(first.partialPath);
    expect(second.salvage).toEqual([first.partialPath]);
    await first.release();
    expect(JSON.parse(await readFile(join(store.paths.partials, `${KEY}.lease`), 'utf8'))).toMatchObject({
      note: second.partialPath.split('/').at(-1),
    });
    await second.discard();
    expect(await readdir(store.paths.partials)).toEqual([]);
  });

  it('HD9 a holder that beats keeps its lease, whatever the wall clock says', async () => {
    const clock = manualClock(Date.now());
    const store = await temporaryStore({ clock });
    const first = taken(await store.leaseContent(KEY, { find: never }));
    const lease = join(store.paths.partials, `${KEY}.lease`);
    const stop = new AbortController();
    let polls = 0;
    const find = async (): Promise<undefined> => {
      polls += 1;
      await utimes(lease, new Date(), new Date(polls * 1000));
      if (polls === 40) stop.abort(new Error('enough'));
    };
    const second = store.leaseContent(KEY, { find, ttlMs: 15_000, pollMs: 1000, signal: stop.signal });
    await expect(second).rejects.toThrow('enough');
    expect(polls).toBe(40);
    await first.discard();
  });

  it('tells the holder that the lease is lost', async () => {
    const store = await temporaryStore();
    const first = taken(await store.leaseContent(KEY, { find: never, ttlMs: 60 }));
    await writeFile(join(store.paths.partials, `${KEY}.lease`), JSON.stringify({ token: 'other', note: '' }));
    await until(() => first.lost.aborted, { what: 'the holder hears of the loss' });
    expect(first.lost.reason).toMatchObject({ kind: 'busy' });
    await first.discard();
    expect((await stat(join(store.paths.partials, `${KEY}.lease`))).isFile()).toBe(true);
  });

  describe('RE10 G01 on a disk that is full to the last byte', () => {
    let isFull = false;
    const noSpace = Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
    /** The name is made, its content is refused. */
    const writeFileOrNot: FileCalls['writeFile'] = async (path, data, options) => {
      await nodeFiles.writeFile(path, isFull ? '' : data, options);
      if (isFull) throw noSpace;
    };
    const fs = { ...nodeFiles, writeFile: writeFileOrNot };

    it('gives the lease up, and the next attempt goes on with its partial', async () => {
      isFull = false;
      const store = await temporaryStore({ fs });
      const first = taken(await store.leaseContent(KEY, { find: never }));
      await writeFile(first.partialPath, 'half');
      isFull = true;
      await first.release({ keepForMs: 3_600_000 });
      await expect(store.leaseContent(KEY, { find: never })).rejects.toMatchObject({ kind: 'disk-full' });
      isFull = false;
      const kept = await stat(join(store.paths.partials, `${KEY}.kept.json`));
      expect(kept.mtimeMs).toBeGreaterThan(Date.now() + 3_500_000);
      const second = taken(await store.leaseContent(KEY, { find: never }));
      expect(second).toMatchObject({ resumed: true, partialPath: first.partialPath });
      await second.discard();
      expect(await readdir(store.paths.partials)).toEqual([]);
    });
  });

  it('gives the lease back when the search fails', async () => {
    const store: Store = await temporaryStore();
    const find = async (): Promise<undefined> => {
      throw new Error('disk');
    };
    await expect(store.leaseContent(KEY, { find })).rejects.toThrow('disk');
    expect(await readdir(store.paths.partials)).toEqual([]);
    expect((await partialOf(store, Buffer.from('x'))).sizeBytes).toBe(1);
  });
});

describe('contentKey', () => {
  it('is the same for the same content, and never a path', () => {
    const spec = { path: 'a/b', digests: {}, sources: [] };
    expect(contentKey({ ...spec, digests: { sha256: KEY } })).toBe(KEY);
    expect(contentKey({ ...spec, digests: { md5: 'ab' } })).toBe('md5-ab');
    expect(contentKey({ ...spec, cid: 'bafy/../x' })).toMatch(/^cid-[0-9a-f]{64}$/);
    expect(contentKey(spec)).toBe(contentKey({ ...spec }));
    expect(contentKey(spec)).toMatch(/^unproven-[0-9a-f]{64}$/);
  });
});
