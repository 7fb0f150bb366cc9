import { afterEach, describe, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, readdir, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DAY_MS, HOUR_MS, SECOND_MS } from '#core/units';
import type { StoreNotice } from '#store/context';
import { openStore, type Store } from '#store/open-store';
import { manualClock, partialOf, removeTemporaryFolders, temporaryFolder, temporaryStore } from '../temp-store.ts';

afterEach(removeTemporaryFolders);

const KEY = 'b'.repeat(64);
const view = (version: string) => ({ model: 'm', version, path: 'a', versionFileCount: 1 });
const put = async (store: Store, version: string) =>
  store.publish(await partialOf(store, randomBytes(50), view(version)));
const exists = async (path: string): Promise<boolean> => (await stat(path).catch(() => undefined)) !== undefined;

describe('sweep', () => {
  it('VE5 a dry run lists exactly what the real run deletes, and deletes nothing', async () => {
    const clock = manualClock(Date.now());
    const store = await temporaryStore({ clock });
    const blobs = [];
    for (const version of ['1', '2', '3', '4']) blobs.push(await put(store, version));
    const loose = await store.publish(await partialOf(store, randomBytes(70)));
    const temporary = join(store.paths.models, '.x.00000000-0000-0000-0000-000000000000.tmp');
    await writeFile(temporary, 'left');
    await writeFile(join(store.paths.partials, `${KEY}.1234.part`), 'left');
    clock.advance(91 * DAY_MS);
    const dry = await store.sweep({ dryRun: true });
    expect(dry.done).toEqual([]);
    expect(await exists(blobs[0]!.path)).toBe(true);
    const real = await store.sweep();
    expect(real.done).toEqual(dry.actions);
    expect(await Promise.all(blobs.map(({ path }) => exists(path)))).toEqual([false, false, true, true]);
    expect(await exists(loose.path)).toBe(false);
    expect(await exists(temporary)).toBe(false);
    expect(await readdir(store.paths.partials)).toEqual([]);
    expect([...(await store.records()).get('m')!.versions.keys()].sort()).toEqual(['3', '4']);
    expect((await store.sweep()).actions).toEqual([]);
    expect((await readFile(join(store.paths.models, 'm/a'))).length).toBe(50);
  });

  it.each([
    [HOUR_MS - SECOND_MS, true],
    [HOUR_MS + SECOND_MS, false],
  ])('H10 a partial that is idle for %d ms: stays %s', async (ageMs, stays) => {
    const clock = manualClock(Date.now());
    const store = await temporaryStore({ clock });
    const partial = join(store.paths.partials, `${KEY}.1234.part`);
    await writeFile(partial, 'x');
    await utimes(partial, new Date(clock.now()), new Date(clock.now() - ageMs));
    await store.sweep();
    expect(await exists(partial)).toBe(stays);
  });

  it('H10 HD10 never touches a partial whose lease is held, and keeps a paused one as long as was asked', async () => {
    const clock = manualClock(Date.now());
    const store = await temporaryStore({ clock });
    const outcome = await store.leaseContent(KEY, { find: async () => undefined });
    if (!('partial' in outcome)) throw new Error('no partial');
    const { partialPath } = outcome.partial;
    await writeFile(partialPath, 'x');
    await utimes(partialPath, new Date(0), new Date(0));
    await store.sweep();
    expect(await exists(partialPath)).toBe(true);
    await outcome.partial.release({ keepForMs: 3 * DAY_MS });
    clock.advance(2 * DAY_MS);
    await store.sweep();
    expect(await exists(partialPath)).toBe(true);
    clock.advance(DAY_MS + SECOND_MS);
    await store.sweep();
    expect(await readdir(store.paths.partials)).toEqual([]);
  });

  it('H09 content that comes into use between the plan and its deletion stays', async () => {
    const clock = manualClock(Date.now());
    const home = await temporaryFolder();
    const store = await openStore({ home, clock });
    const blobs = [];
    for (let index = 0; index < 4; index += 1) blobs.push(await store.publish(await partialOf(store, randomBytes(50))));
    clock.advance(91 * DAY_MS);
    const other = await openStore({ home, clock });
    const [report] = await Promise.all([
      store.sweep(),
      ...blobs.map((blob) =>
        other.ensureView(blob, { model: 'n', version: '1', path: blob.sha256 }).catch(() => 'gone'),
      ),
    ]);
    const gone = new Set(report.done.map((action) => ('sha256' in action ? action.sha256 : '')));
    const named = [...((await store.records()).get('n')?.versions.get('1')?.files.keys() ?? [])];
    for (const { sha256, path } of blobs) {
      expect(await exists(path)).toBe(!gone.has(sha256));
      expect(named.includes(sha256)).toBe(!gone.has(sha256));
    }
  });

  it('C11 files from the future are left alone', async () => {
    const clock = manualClock(Date.now() - 365 * DAY_MS);
    const store = await temporaryStore({ clock });
    await put(store, '1');
    await writeFile(join(store.paths.partials, `${KEY}.1234.part`), 'x');
    expect((await store.sweep({ hardLimitBytes: 0 })).done).toEqual([]);
  });

  it('a file of a model called x.tmp is no leftover', async () => {
    const clock = manualClock(Date.now());
    const store = await temporaryStore({ clock });
    await mkdir(join(store.paths.models, 'm'));
    await store.publish(await partialOf(store, randomBytes(5), { model: 'm', version: '1', path: '.x.tmp' }));
    clock.advance(DAY_MS);
    expect((await store.sweep()).done).toEqual([]);
  });

  it('M06 tells when the store is too large and what it evicted', async () => {
    const clock = manualClock(Date.now());
    const notices: StoreNotice[] = [];
    const store = await temporaryStore({ clock, onNotice: (notice) => notices.push(notice) });
    await put(store, '1');
    const loose = await store.publish(await partialOf(store, randomBytes(70)));
    clock.advance(2 * HOUR_MS);
    await store.sweep({ hardLimitBytes: 60, warnBytes: 49 });
    expect(notices).toMatchObject([
      { notice: 'store_over_limit', message: 'the store has 50 bytes, more than 49' },
      { notice: 'evicted', sha256: loose.sha256 },
    ]);
  });
});
