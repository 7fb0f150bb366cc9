import { chmod, readFile, rm, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { MINUTE_MS } from '#core/units';
import { nodeFiles, type FileCalls } from '#os/file-calls';
import type { StoreNotice } from '#store/context';
import { blobPath } from '#store/layout';
import type { Store } from '#store/open-store';
import type { ViewWatch, ViewWatchOptions } from '#store/upkeep/view-watch';
import { until } from '../../../helpers/until.ts';
import { partialOf, removeTemporaryFolders, sha256Of, temporaryStore } from '../temp-store.ts';

const BYTES = Buffer.from('the weights of a model');
const OTHER = Buffer.from('another file of that model');

let watches: ViewWatch[] = [];
afterEach(async () => {
  await Promise.all(watches.map((watch) => watch.stop()));
  watches = [];
  await removeTemporaryFolders();
});

const publish = async (store: Store, path: string, bytes = BYTES): Promise<string> => {
  await store.publish(await partialOf(store, bytes, { model: 'm', version: '1', path }));
  return join(store.paths.models, 'm', ...path.split('/'));
};

const watched = (store: Store, options: ViewWatchOptions): void => {
  const watch = store.viewWatch(options);
  watches.push(watch);
  watch.start();
};

const someOf = <Item>(items: Item[]): Item[] | undefined => (items.length > 0 ? items : undefined);

const textOf = (path: string): Promise<string | undefined> => readFile(path, 'utf8').catch(() => undefined);

describe.each([
  ['by a regular look', { everyMs: 20, usesSystemWatch: false }],
  ['by the watch of the system', { everyMs: 60 * MINUTE_MS }],
] as const)('a published file that another program touches is noticed %s', (how, options) => {
  let store: Store;
  let notices: StoreNotice[];
  let view: string;

  beforeEach(async () => {
    notices = [];
    store = await temporaryStore({ onNotice: (notice) => notices.push(notice) });
    view = await publish(store, 'onnx/model.bin');
    await publish(store, 'config.json', OTHER);
    watched(store, options);
    if (how === 'by a regular look') return;
    // A file that is deleted before its folder is watched would be seen by the next regular look only.
    const probe = join(store.paths.models, 'm', 'onnx', 'probe');
    await publish(store, 'onnx/probe', OTHER);
    const isShownAgain = (): boolean => noticesOf('onnx/probe').length > 0;
    await until(() => unlink(probe).then(isShownAgain, isShownAgain), { what: 'the watch works' });
  });

  const noticesOf = (path: string): StoreNotice[] =>
    notices.filter(({ views }) => views.some((one) => one.path === path));
  const invalidOf = async (): Promise<string | undefined> =>
    (await store.records()).get('m')?.versions.get('1')?.files.get('onnx/model.bin')?.invalid;

  it('G30 shows a deleted file again from the store, and says so', async () => {
    await unlink(view);
    const [notice] = await until(() => someOf(noticesOf('onnx/model.bin')), { what: 'a notice' });
    expect(notice).toMatchObject({ notice: 'repaired' });
    expect(await textOf(view)).toBe(BYTES.toString());
  });

  it('G30 shows a file again that another one took the place of', async () => {
    await unlink(view);
    await writeFile(view, 'something else');
    await until(async () => (await textOf(view)) === BYTES.toString(), { what: 'the right bytes' });
    expect(await invalidOf()).toBeUndefined();
  });

  it('G30 shows a whole folder again', async () => {
    await rm(join(store.paths.models, 'm'), { recursive: true });
    await until(async () => (await textOf(view)) === BYTES.toString(), { what: 'the file' });
    const other = join(store.paths.models, 'm', 'config.json');
    await until(async () => (await textOf(other)) === OTHER.toString(), { what: 'the other file' });
  });

  it('G16 VE3 quarantines a file that was written to in place', async () => {
    await chmod(view, 0o644);
    await writeFile(view, 'THE', { flag: 'r+' });
    const [notice] = await until(() => someOf(noticesOf('onnx/model.bin')), { what: 'a notice' });
    expect(notice).toMatchObject({ notice: 'corrupt', sha256: sha256Of(BYTES) });
    expect(await textOf(view)).toBeUndefined();
    expect(await until(invalidOf, { what: 'the record' })).toMatch(/^wrong-digest/);
  });

  it('G31 asks for content again that is gone from the store and from the view', async () => {
    await unlink(blobPath(store.paths, sha256Of(BYTES)));
    await unlink(view);
    await until(() => notices.some(({ notice }) => notice === 'missing'), { what: 'a notice' });
    expect(await until(invalidOf, { what: 'the record' })).toMatch(/^missing/);
  });

  it('G31 keeps content again from its view when only the blob is gone', async () => {
    const blob = blobPath(store.paths, sha256Of(BYTES));
    await unlink(blob);
    if (how === 'by the watch of the system') await chmod(view, 0o644); // the folder of the blobs is not watched
    await until(async () => (await textOf(blob)) === BYTES.toString(), { what: 'the blob' });
    expect(await invalidOf()).toBeUndefined();
  });
});

it('G30 makes one notice for a model of which many files were deleted', async () => {
  const notices: StoreNotice[] = [];
  const store = await temporaryStore({ onNotice: (notice) => notices.push(notice) });
  for (const name of 'abcdef') await publish(store, name, Buffer.from(name));
  await rm(join(store.paths.models, 'm'), { recursive: true });
  watched(store, { everyMs: 60 * MINUTE_MS, usesSystemWatch: false });
  await until(() => notices.length > 0, { what: 'a notice' });
  expect(notices).toEqual([
    expect.objectContaining({
      notice: 'repaired',
      views: [{ model: 'm', path: null }],
      message: expect.stringMatching(/^6 files /),
    }),
  ]);
});

it('G32 reports that the records of the models are gone', async () => {
  const store = await temporaryStore();
  const view = await publish(store, 'a');
  let lost = 0;
  watched(store, { everyMs: 20, usesSystemWatch: false, onRecordsLost: () => (lost += 1) });
  await unlink(view);
  await until(async () => (await textOf(view)) !== undefined, { what: 'the first look' });
  const { manifests } = store.paths;
  await unlink(manifests);
  await until(() => lost > 0, { what: 'a report' });
  expect(lost).toBe(1);
});

it('G30 looks at unchanged files by one call each', async () => {
  const calls = { lstat: 0, stat: 0, open: 0 };
  const fs: FileCalls = {
    ...nodeFiles,
    lstat: ((path: string) => ((calls.lstat += 1), nodeFiles.lstat(path))) as FileCalls['lstat'],
    stat: ((path: string) => ((calls.stat += 1), nodeFiles.stat(path))) as FileCalls['stat'],
    open: ((path: string, flags: string) => ((calls.open += 1), nodeFiles.open(path, flags))) as FileCalls['open'],
  };
  const store = await temporaryStore({ fs });
  const files = 50;
  for (let number = 0; number < files; number += 1) await publish(store, `${number}.bin`, Buffer.from(`${number}`));
  watched(store, { everyMs: 20, usesSystemWatch: false });
  let seen = { ...calls };
  const isQuiet = (): boolean => {
    if (calls.stat + calls.open > seen.stat + seen.open) seen = { ...calls };
    return calls.lstat - seen.lstat >= 3 * files;
  };
  await until(isQuiet, { what: 'three looks that open no file and ask for no more of it' });
});
