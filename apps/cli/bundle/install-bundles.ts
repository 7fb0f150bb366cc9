import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { likelyProfile } from '#fetch/likely-profile';
import type { BundleMember } from '#content/archives/bundle-index';
import { SourceError, VerifyError } from '#core/failure';
import { MIB } from '#core/units';
import { openBundleArchive, type BundleArchive } from '#sources/bundle/bundle-archive';
import { wantedContents, type BundleContent } from '#sources/bundle/bundle-contents';
import { localBundle } from '#sources/bundle/bundle-reader';
import type { Store } from '#store/open-store';
import { isSame, readManifests, type BundledModel } from './bundle-manifests.ts';
import { reserveDisk } from '#transfer/disk/disk-reservation';
import { enterModels, type ModelOutcome } from './enter-models.ts';

export interface InstallReport {
  readonly models: readonly ModelOutcome[];
  /** Contents that were copied now. */
  readonly written: { readonly contents: number; readonly bytes: number };
  /** Contents that the store had already, proven. */
  readonly kept: { readonly contents: number; readonly bytes: number };
  /** One sentence for each fault of a bundle. */
  readonly problems: readonly string[];
}

export interface InstallHooks {
  readonly signal: AbortSignal;
  readonly onProgress: (doneBytes: number, totalBytes: number, note: string) => void;
}

/** One content that the models of the bundles need. */
interface Wanted {
  readonly sizeBytes: number;
  /** As the manifests have it; unproven. */
  readonly cid: string | undefined;
  /** For messages. */
  readonly file: string;
}

/** Small contents that are copied at once: most of their time is spent waiting for the disk. */
const AT_ONCE = 16;
/** A longer content is copied alone. */
const SMALL_BYTES = MIB;

/**
 * Copies the models of bundles into a host's store without any server. Each content is proven by its digest; then each version whose
 * contents are all in the store is entered and shown. A version may be spread over several bundles. Contents in the store are hashed and
 * kept, so after an interruption finished contents are not copied again.
 *
 * @throws StorageError, `disk-full` with what is missing before anything is written; the signal's reason
 */
export async function installBundles(
  paths: readonly string[],
  store: Store,
  hooks: InstallHooks,
): Promise<InstallReport> {
  const problems: string[] = [];
  const archives = await openArchives(paths, problems, hooks.signal);
  const models = modelsOf(archives, problems);
  const wanted = wantedOf(models);
  const progress = counter(wanted, hooks);
  const kept = await contentsHere(store, wanted, progress, hooks.signal);
  const missing = new Map([...wanted].filter(([sha256]) => !kept.has(sha256)));
  await refuseFullDisk(store, archives, missing);
  const written = new Set<string>();
  for (const archive of archives)
    await copyContents(archive, store, { missing, written, problems, progress, ...hooks });
  const outcomes = await enterModels(models, store, { written, here: new Set([...kept, ...written]), ...hooks });
  return { models: outcomes, written: sumOf(written, wanted), kept: sumOf(kept, wanted), problems };
}

/** A bundle that cannot be read becomes a problem; the other bundles are installed. */
async function openArchives(
  paths: readonly string[],
  problems: string[],
  signal: AbortSignal,
): Promise<BundleArchive[]> {
  const archives: BundleArchive[] = [];
  for (const path of new Set(paths))
    try {
      archives.push(await openBundleArchive(localBundle(path, path), signal));
    } catch (error) {
      if (!(error instanceof SourceError)) throw error;
      problems.push(`${path}: ${error.message}`);
    }
  return archives;
}

function modelsOf(archives: readonly BundleArchive[], problems: string[]): BundledModel[] {
  const models = new Map<string, BundledModel>();
  for (const { index, reader } of archives) {
    const read = readManifests(index.manifests, index.members);
    problems.push(...read.problems.map((problem) => `${reader.name}: ${problem}`));
    for (const model of read.models) {
      const key = `${model.name}@${model.version}`;
      const earlier = models.get(key);
      if (earlier === undefined) models.set(key, model);
      else if (!isSame(earlier, model))
        problems.push(`${reader.name}: ${key} has other files than in an earlier bundle`);
    }
  }
  return [...models.values()];
}

function wantedOf(models: readonly BundledModel[]): Map<string, Wanted> {
  const wanted = new Map<string, Wanted>();
  for (const { name, version, files } of models)
    for (const { sha256, sizeBytes, cid, path } of files)
      wanted.set(sha256, {
        sizeBytes,
        cid: cid ?? wanted.get(sha256)?.cid,
        file: `${name}@${version}/${path}`,
      });
  return wanted;
}

type Count = (bytes: number, note: string) => void;

function counter(wanted: ReadonlyMap<string, Wanted>, { onProgress }: InstallHooks): Count {
  const totalBytes = [...wanted.values()].reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  let doneBytes = 0;
  return (bytes, note) => onProgress((doneBytes += bytes), totalBytes, note);
}

async function contentsHere(
  store: Store,
  wanted: ReadonlyMap<string, Wanted>,
  count: Count,
  signal: AbortSignal,
): Promise<Set<string>> {
  const here = new Set<string>();
  const work = limited(AT_ONCE);
  for (const [sha256, { sizeBytes }] of wanted) {
    signal.throwIfAborted();
    await work.begin(async () => {
      const found = await store.find({ digests: { sha256 }, sizeBytes }, { depth: 'fast' });
      if (found === undefined) return;
      here.add(sha256);
      count(sizeBytes, 'here already');
    });
  }
  await work.end();
  return here;
}

async function refuseFullDisk(
  store: Store,
  archives: readonly BundleArchive[],
  missing: ReadonlyMap<string, Wanted>,
): Promise<void> {
  const held = new Set(archives.flatMap(({ index }) => index.members.map(({ sha256 }) => sha256)));
  let neededBytes = 0;
  for (const [sha256, { sizeBytes }] of missing) if (held.has(sha256)) neededBytes += sizeBytes;
  const folder = store.paths.partials;
  const neededNow = Math.max(0, neededBytes - (await beganBytes(folder, missing)));
  const reservation = await reserveDisk(folder, neededNow, () => store.freeBytes());
  reservation.release();
}

/** Bytes that an interrupted install wrote. */
async function beganBytes(folder: string, missing: ReadonlyMap<string, Wanted>): Promise<number> {
  let bytes = 0;
  for (const name of await readdir(folder)) {
    const sha256 = /^bundle-([0-9a-f]{64})\.[0-9a-f]{8}\.part$/.exec(name)?.[1];
    if (sha256 !== undefined && missing.has(sha256)) bytes += (await stat(join(folder, name))).size;
  }
  return bytes;
}

interface Copying extends InstallHooks {
  readonly missing: ReadonlyMap<string, Wanted>;
  readonly written: Set<string>;
  readonly problems: string[];
  readonly progress: Count;
}

/** A wrong content and a bundle that ends early become problems; all other contents are copied. */
async function copyContents(archive: BundleArchive, store: Store, copying: Copying): Promise<void> {
  const { missing, written, problems, signal } = copying;
  const { name } = archive.reader;
  const isWanted = ({ sha256 }: BundleMember): boolean => missing.has(sha256) && !written.has(sha256);
  if (!archive.index.members.some(isWanted)) return;
  const work = limited(AT_ONCE);
  try {
    for await (const content of wantedContents(archive, isWanted, signal)) {
      signal.throwIfAborted();
      const copy = await copyOf(content, store, copying);
      await work.begin(() => copy().catch(problemOf(name, missing.get(content.member.sha256)!, problems)));
    }
  } catch (error) {
    if (!(error instanceof SourceError)) throw error;
    problems.push(`${name}: ${error.message}`);
  } finally {
    await work.end();
  }
}

const problemOf =
  (name: string, { file }: Wanted, problems: string[]) =>
  (error: unknown): void => {
    if (!(error instanceof VerifyError) && !(error instanceof SourceError)) throw error;
    problems.push(`${name}: ${file}: ${error.message}`);
  };

/** Reads a small content into memory before the next one is read from the bundle; copies a large one to the store before that. */
async function copyOf(
  { member, canSeek, read }: BundleContent,
  store: Store,
  { missing, written, progress, signal }: Copying,
): Promise<() => Promise<void>> {
  const { sha256, sizeBytes } = member;
  const { cid, file } = missing.get(sha256)!;
  const profile = cid === undefined ? undefined : likelyProfile(cid);
  const take = async (bytes: typeof read, seeks: boolean): Promise<void> => {
    await store.takeContent({
      ...{ sha256, sizeBytes, signal, canSeek: seeks, read: bytes },
      cid: cid === undefined || profile === undefined ? undefined : { text: cid, profile },
      onBytes: (count) => progress(count, file),
    });
    written.add(sha256);
  };
  if (sizeBytes > SMALL_BYTES) {
    const copied = take(read, canSeek);
    await copied.catch(() => undefined);
    return () => copied;
  }
  const chunks: Uint8Array[] = [];
  for await (const chunk of read(0)) chunks.push(chunk);
  return () => take(() => fromMemory(chunks), false);
}

async function* fromMemory(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks;
}

/** Runs a few tasks at once. `begin` waits for a free slot; the next call throws the first failure. */
function limited(limit: number) {
  const running = new Set<Promise<void>>();
  let failure: { readonly error: unknown } | undefined;
  const check = (): void => {
    if (failure !== undefined) throw failure.error;
  };
  return {
    async begin(work: () => Promise<void>): Promise<void> {
      check();
      const run: Promise<void> = work()
        .catch((error: unknown) => void (failure ??= { error }))
        .finally(() => running.delete(run));
      running.add(run);
      if (running.size >= limit) await Promise.race(running);
      check();
    },
    async end(): Promise<void> {
      await Promise.all(running);
      check();
    },
  };
}

function sumOf(contents: ReadonlySet<string>, wanted: ReadonlyMap<string, Wanted>): InstallReport['written'] {
  let bytes = 0;
  for (const sha256 of contents) bytes += wanted.get(sha256)!.sizeBytes;
  return { contents: contents.size, bytes };
}
