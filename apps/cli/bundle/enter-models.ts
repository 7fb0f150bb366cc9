import { canonicalCid } from '#content/cid/canonical-cid';
import { tryParseCid } from '#content/cid/cid';
import { CODEC } from '#content/cid/cid-bytes';
import { checkFormat, guessFormat } from '#content/formats/check-format';
import { SHA2_256 } from '#content/digest/multihash';
import { StorageError, VerifyError } from '#core/failure';
import { blobPath } from '#store/layout';
import type { ModelRecords } from '#store/models/model-records';
import type { VersionFile } from '#store/models/model-views';
import type { Store } from '#store/open-store';
import type { BundledFile, BundledModel } from './bundle-manifests.ts';

/**
 * - `installed`  entered now, with all its files
 * - `kept`       was complete in the store before
 * - `incomplete` contents are missing: no file of it is shown, and the contents that came are kept for another bundle
 * - `refused`    breaks a rule of publishing; `reason` says which
 */
export type ModelState = 'installed' | 'kept' | 'incomplete' | 'refused';

export interface ModelOutcome {
  readonly name: string;
  readonly version: string;
  readonly state: ModelState;
  /** True when applications see this version now. */
  readonly shown: boolean;
  /** The version that they see. */
  readonly shownVersion: string | null;
  readonly files: number;
  readonly sizeBytes: number;
  /** Paths whose content is not here. */
  readonly missing: readonly string[];
  readonly reason: string | null;
  /** Paths whose CID the bytes do not prove: the records leave it out. */
  readonly unprovenCids: readonly string[];
}

export interface Entering {
  /** SHA-256 of all proven contents in the store. */
  readonly here: ReadonlySet<string>;
  /** SHA-256 of the contents that were copied now. */
  readonly written: ReadonlySet<string>;
  readonly signal: AbortSignal;
}

/** Enters each version whose contents are all here, in the order of the bundles, and shows it. */
export async function enterModels(
  models: readonly BundledModel[],
  store: Store,
  entering: Entering,
): Promise<ModelOutcome[]> {
  const before = await store.records();
  const shown = shownVersions(models, before);
  const outcomes: ModelOutcome[] = [];
  for (const model of models) {
    entering.signal.throwIfAborted();
    outcomes.push(await enter(model, shown.get(model.name) === model.version, { ...entering, before, store }));
  }
  const after = await store.records();
  return outcomes.map((outcome) => {
    const shownVersion = after.get(outcome.name)?.version ?? null;
    return { ...outcome, shownVersion, shown: shownVersion === outcome.version };
  });
}

/** Of several versions of a model the one that is shown already stays; without such a version the last one is shown. */
function shownVersions(models: readonly BundledModel[], before: ModelRecords): Map<string, string> {
  const shown = new Map(models.map(({ name, version }) => [name, version]));
  for (const { name, version } of models) if (before.get(name)?.version === version) shown.set(name, version);
  return shown;
}

interface EnteringOne extends Entering {
  readonly before: ModelRecords;
  readonly store: Store;
}

async function enter(model: BundledModel, show: boolean, entering: EnteringOne): Promise<ModelOutcome> {
  const { here, before } = entering;
  const { name, version, files } = model;
  const outcome = {
    ...{ name, version, files: files.length, shown: false, shownVersion: null, reason: null, unprovenCids: [] },
    sizeBytes: files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    missing: files.filter(({ sha256 }) => !here.has(sha256)).map(({ path }) => path),
  };
  if (outcome.missing.length > 0) return { ...outcome, state: 'incomplete' };
  try {
    const reason = await wrongFormat(files, entering);
    if (reason !== undefined) return { ...outcome, state: 'refused', reason };
    const { proven, unprovenCids } = await provenFiles(files, entering);
    const isKept = wasHere(model, entering) && (!show || before.get(name)?.version === version);
    await entering.store.showVersion({
      ...{ model: name, version, show, files: proven },
      type: model.manifest.type,
      ipfsHash: model.manifest.cid,
      hfRevision: files.flatMap(({ sources }) => sources).find(isHub)?.revision,
    });
    await unpackAll(model, entering);
    return { ...outcome, unprovenCids, state: isKept ? 'kept' : 'installed' };
  } catch (error) {
    if (!isRefusal(error)) throw error;
    return { ...outcome, state: 'refused', reason: error.message };
  }
}

/** True when the manifest is at fault and not this disk: no host could install it. */
const isRefusal = (error: unknown): error is Error =>
  error instanceof RangeError ||
  error instanceof VerifyError ||
  (error instanceof StorageError && error.kind === 'unsafe-path');

type HubSource = Extract<BundledFile['sources'][number], { kind: 'huggingface' }>;
const isHub = (source: BundledFile['sources'][number]): source is HubSource => source.kind === 'huggingface';

/** Proven bytes in another format mean that the manifest is wrong. */
async function wrongFormat(files: readonly BundledFile[], { store, signal }: EnteringOne): Promise<string | undefined> {
  for (const { path, sha256, sizeBytes, format } of files) {
    const expected = format ?? guessFormat(path);
    if (expected === undefined) continue;
    signal.throwIfAborted();
    const problem = await checkFormat(blobPath(store.paths, sha256), sizeBytes, expected);
    if (problem !== undefined) return `${JSON.stringify(path)} is not ${expected}: it ${problem}`;
  }
  return undefined;
}

/** The records name contents by CID, so a CID is entered only when bytes or digest prove it. */
async function provenFiles(
  files: readonly BundledFile[],
  { store }: EnteringOne,
): Promise<{ readonly proven: VersionFile[]; readonly unprovenCids: string[] }> {
  const proven: VersionFile[] = [];
  const unprovenCids: string[] = [];
  for (const { path, sha256, sizeBytes, cid, sources } of files) {
    const isProven = cid !== undefined && (isCidOf(cid, sha256) || (await hasCid(store, sha256, cid)));
    if (cid !== undefined && !isProven) unprovenCids.push(path);
    proven.push({ path, sha256, sizeBytes, sources, ...(isProven ? { cid } : {}) });
  }
  return { proven, unprovenCids };
}

/** The CID of a single raw block is the SHA-256 itself. */
function isCidOf(cid: string, sha256: string): boolean {
  const parsed = tryParseCid(cid);
  return (
    parsed?.codec === CODEC.raw && parsed.hashCode === SHA2_256 && Buffer.from(parsed.digest).toString('hex') === sha256
  );
}

async function hasCid(store: Store, sha256: string, cid: string): Promise<boolean> {
  const found = await store.find({ digests: { sha256 } });
  return found?.cid !== undefined && found.cid === canonicalCid(cid);
}

function wasHere({ name, version, files }: BundledModel, { before, written }: EnteringOne): boolean {
  const known = before.get(name)?.versions.get(version)?.files;
  return files.every(({ path, sha256 }) => {
    const file = known?.get(path);
    return file?.sha256 === sha256 && file.invalid === undefined && !written.has(sha256);
  });
}

/** Unpacks the files that a manifest declares inside an archive, beside the archive. */
async function unpackAll({ name, version, files }: BundledModel, { store, signal }: EnteringOne): Promise<void> {
  for (const { path, sha256, unpack } of files)
    if (unpack !== undefined)
      await store.unpack({
        ...{ path, signal, as: unpack.as, files: unpack.files },
        archivePath: blobPath(store.paths, sha256),
        view: { model: name, version },
      });
}
