import { afterEach, describe, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { readFile, readdir, realpath, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DAY_MS, HOUR_MS } from '#core/units';
import type { Clock } from '#os/clock';
import { LEASE_TTL_MS } from '#os/lease/lease-file';
import { openStore, type Store } from '#store/open-store';
import type { PublishRequest } from '#store/blobs/publish';
import { nodeFiles, type FileCalls } from '#os/file-calls';
import { writeFully } from '#transfer/disk/file-operations';
import type { Fate } from '../../helpers/disk/disk-model.ts';
import { PowerLossFs } from '../../helpers/disk/power-loss-fs.ts';
import type { PowerLossOptions } from '../../helpers/disk/recorded-disk.ts';
import { manualClock, removeTemporaryFolders, sha256Of, temporaryFolder } from './temp-store.ts';

afterEach(removeTemporaryFolders);

const cidOf = (name: string): string => `bafk${name}`;
const canonicalCid = (cid: string): string => cid;

interface File {
  readonly version: string;
  readonly path: string;
  readonly bytes: Buffer;
  readonly sha256: string;
  readonly cid: string;
}

const file = (version: string, path: string, sizeBytes: number): File => {
  const bytes = randomBytes(sizeBytes);
  return { version, path, bytes, sha256: sha256Of(bytes), cid: cidOf(`${version}${path.length}`) };
};

/** Two versions of two files; the second file moves. */
const FILES = [
  file('1', 'a.bin', 9_000),
  file('1', 'old/b.bin', 5_000),
  file('2', 'a.bin', 10_000),
  file('2', 'new/sub/b.bin', 6_000),
];
const BY_DIGEST = new Map(FILES.map((one) => [one.sha256, one]));

const requestOf = (partialPath: string, one: File): PublishRequest => ({
  partialPath,
  sha256: one.sha256,
  sizeBytes: one.bytes.length,
  cid: one.cid,
  table: Buffer.from(`table of ${one.path}`),
  inner: Buffer.from('inner'),
  view: { model: 'm', version: one.version, path: one.path, versionFileCount: 2 },
});

const noHardLinks = (fs: FileCalls): FileCalls => ({
  ...fs,
  link: () => Promise.reject(Object.assign(new Error('no links here'), { code: 'EPERM' })),
});

type LinkMode = 'hard link' | 'symlink' | 'copy';

interface Setting {
  readonly linkMode: LinkMode;
  readonly startMs: number;
}

/** What the second life of the store writes need not outlive it. */
const withoutSync: FileCalls = {
  ...nodeFiles,
  open: async (...args) =>
    Object.assign(await nodeFiles.open(...args), { sync: () => Promise.resolve(), datasync: () => Promise.resolve() }),
};

/** The lease of a process that lost its power has no heartbeat, and a waiter looks at it once per lease. */
const impatient = (startMs: number): Clock => {
  const clock = manualClock(startMs);
  return { ...clock, wait: (ms, signal) => clock.wait(Math.max(ms, LEASE_TTL_MS), signal) };
};

const openWith = (home: string, fs: FileCalls, { linkMode, startMs }: Setting) =>
  openStore({
    home,
    clock: impatient(startMs),
    canonicalCid,
    fs: linkMode === 'copy' ? noHardLinks(fs) : fs,
    linkMode: linkMode === 'symlink' ? 'symlink' : 'auto',
  });

/** Publishes both versions on a disk that remembers; `from` is where the second begins. */
async function publishBoth(setting: Setting, options: PowerLossOptions = {}) {
  const root = await realpath(await temporaryFolder());
  const disk = new PowerLossFs(root, options);
  const store = await openWith(join(root, 'home'), disk.files, setting);
  let from = 0;
  for (const one of FILES) {
    if (one === FILES[2]) from = disk.history.steps.length;
    await store.publish(await partialOn(disk, store, one));
    disk.mark(one.sha256);
  }
  return { disk, from, to: disk.history.steps.length };
}

/** Written as a transfer does: nothing of it is synced. */
async function partialOn(disk: PowerLossFs, store: Store, one: File): Promise<PublishRequest> {
  const path = join(store.paths.partials, `${one.sha256}.0.part`);
  const partial = await disk.fileOperations.openPrivate(path);
  await writeFully(partial, one.bytes, 0);
  await partial.close();
  return requestOf(path, one);
}

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => !entry.isDirectory()).map((entry) => join(entry.parentPath, entry.name));
}

const isTemporary = (path: string): boolean => path.endsWith('.tmp');

/** What anybody may see before the store is opened again. */
async function checkNames(home: string, isPublished: (one: File) => boolean): Promise<void> {
  for (const path of (await filesBelow(join(home, 'blobs'))).filter((found) => !isTemporary(found)))
    expect(path.endsWith(sha256Of(await readFile(path)))).toBe(true);
  const manifests = await readFile(join(home, 'models/.manifests.json'), 'utf8').catch(() => undefined);
  if (FILES.some(isPublished)) expect(manifests).toBeDefined();
  if (manifests !== undefined) expect(JSON.parse(manifests)).toHaveProperty('models.m.files');
  for (const path of await filesBelow(join(home, 'models/m')))
    if (!isTemporary(path)) {
      const shown = BY_DIGEST.get(sha256Of(await readFile(path)));
      expect(path).toBe(join(home, 'models/m', shown?.path ?? 'a file that was not published'));
    }
}

/** The views are the files of the version that the records name; at most, a path that only the next version has is there already. */
async function checkViews(store: Store): Promise<string | undefined> {
  const record = (await store.records()).get('m');
  const named = [...(record?.versions.get(record.version ?? '')?.files ?? [])];
  const found = (await filesBelow(join(store.paths.models, 'm'))).filter((path) => !isTemporary(path)).sort();
  const early = record?.version === '1' ? [join(store.paths.models, 'm', FILES[3]!.path)] : [];
  expect(found.filter((path) => !early.includes(path))).toEqual(
    named.map(([path]) => join(store.paths.models, 'm', path)).sort(),
  );
  for (const [path, { sha256 }] of named)
    expect(sha256Of(await readFile(join(store.paths.models, 'm', path)))).toBe(sha256);
  return record?.version ?? undefined;
}

/** What was published is found; what was not is found whole or not at all. */
async function checkFound(store: Store, isPublished: (one: File) => boolean): Promise<void> {
  for (const one of FILES) {
    const isDone = isPublished(one);
    const found = await store.find(isDone ? { digests: {}, cid: one.cid } : { digests: { sha256: one.sha256 } });
    if (isDone) expect(found).toMatchObject({ cid: one.cid });
    if (found !== undefined) expect(sha256Of(await readFile(found.path))).toBe(one.sha256);
    const { table } = await store.readLeaves(one.cid);
    if (isDone || table !== undefined) expect(table?.toString()).toBe(`table of ${one.path}`);
  }
}

/** Asks for everything again, as a worker does after the start; then the store is as if nothing had happened. */
async function checkCompletion(store: Store): Promise<void> {
  const disk = new PowerLossFs(await realpath(store.paths.partials));
  for (const one of FILES) {
    const found = await store.find({ digests: { sha256: one.sha256 } });
    if (found === undefined) await store.publish(await partialOn(disk, store, one));
    else await store.ensureView(found, requestOf('', one).view!);
  }
  expect(await checkViews(store)).toBe('2');
  expect((await store.verify()).problems).toEqual([]);
}

async function checkSwept(home: string, setting: Setting): Promise<void> {
  const store = await openWith(home, withoutSync, { ...setting, startMs: setting.startMs + 2 * HOUR_MS });
  await store.sweep();
  const rest = (await filesBelow(home)).filter(
    (path) => isTemporary(path) || path.startsWith(store.paths.partials) || path.startsWith(store.paths.locks),
  );
  expect(rest).toEqual([]);
}

/** Cuts the power after each of the steps, and holds what is left against the promises; a disk that was seen is not seen again. */
async function checkCuts(
  setting: Setting,
  { disk, from, to }: Awaited<ReturnType<typeof publishBoth>>,
  fates: (cut: number) => readonly Fate[],
): Promise<void> {
  const folder = await temporaryFolder();
  const seen = new Set<string>();
  for (let cut = from; cut <= to; cut += 1)
    for (const fate of fates(cut)) {
      const isPublished = (one: File): boolean => disk.isBefore(one.sha256, cut);
      const fingerprint = `${disk.fingerprint(cut, fate)} ${FILES.map(isPublished).join()}`;
      if (seen.has(fingerprint)) continue;
      seen.add(fingerprint);
      disk.cut(cut, fate, folder);
      try {
        await checkDisk(join(folder, 'home'), setting, isPublished, typeof fate === 'object');
      } catch (error) {
        const step = JSON.stringify(disk.history.steps[cut - 1]).slice(0, 300);
        throw new Error(`cut after step ${cut}, fate ${JSON.stringify(fate)}: ${step}`, { cause: error });
      }
      await rm(folder, { recursive: true, force: true });
    }
}

async function checkDisk(
  home: string,
  setting: Setting,
  isPublished: (one: File) => boolean,
  goesOn: boolean,
): Promise<void> {
  await checkNames(home, isPublished);
  const store = await openWith(home, withoutSync, setting);
  const version = await checkViews(store);
  if (isPublished(FILES[3]!)) expect(version).toBe('2');
  else if (isPublished(FILES[1]!)) expect(['1', '2']).toContain(version);
  await checkFound(store, isPublished);
  if (!goesOn) return;
  await checkCompletion(store);
  await checkSwept(home, setting);
}

const setting = (linkMode: LinkMode): Setting => ({ linkMode, startMs: Date.now() + DAY_MS });

describe('a publish at which the power fails', () => {
  it('G19 leaves the old or the new state on any legal disk, after every operation', async () => {
    const published = await publishBoth(setting('hard link'));
    await checkCuts(setting('hard link'), published, (cut) => ['nothing', 'everything', { seed: cut }]);
  });

  it.each<LinkMode>(['symlink', 'copy'])('G19 does so with views by %s', async (linkMode) => {
    const published = await publishBoth(setting(linkMode));
    await checkCuts(setting(linkMode), published, (cut) => (cut % 3 === 0 ? [{ seed: cut }] : ['nothing']));
  });

  it.each(['files', 'folders'] as const)('G19 would not go unnoticed if %s were not synced', async (ignoresSyncOf) => {
    const published = await publishBoth(setting('hard link'), { ignoresSyncOf });
    await expect(checkCuts(setting('hard link'), published, () => ['nothing', { seed: 1 }])).rejects.toThrow(
      'cut after',
    );
  });
});
