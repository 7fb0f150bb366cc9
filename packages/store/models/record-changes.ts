import { foldedPath } from '#core/text/safe-path';
import {
  versionHash,
  type FileRecord,
  type ModelRecord,
  type ModelRecords,
  type VersionRecord,
} from './model-records.ts';

/** Pure changes of the records of one host; every function returns new records and leaves the old ones alone. */

export interface NewFiles {
  readonly model: string;
  readonly version: string;
  /** By path. */
  readonly files: ReadonlyMap<string, FileRecord>;
  readonly type?: string | undefined;
  readonly ipfsHash?: string | undefined;
  readonly hfRevision?: string | undefined;
}

const NO_MODEL: ModelRecord = { version: null, previousVersion: null, versions: new Map() };

/** Enters files of one version. Those that the version has already under the same paths are replaced. */
export function addFiles(records: ModelRecords, added: NewFiles): ModelRecords {
  const [first] = added.files.values();
  if (first === undefined) return records;
  const model = records.get(added.model) ?? NO_MODEL;
  const earlier = model.versions.get(added.version) ?? newVersion(first.publishedAt);
  const files = new Map([...earlier.files, ...added.files]);
  const facts = {
    type: added.type ?? earlier.type,
    ipfsHash: versionHash(added.ipfsHash ?? earlier.ipfsHash, files),
    hfRevision: added.hfRevision ?? earlier.hfRevision,
  };
  const known =
    facts.type === earlier.type && facts.ipfsHash === earlier.ipfsHash && facts.hfRevision === earlier.hfRevision;
  if (known && [...added.files].every(([path, file]) => isSameFile(earlier.files.get(path), file))) return records;
  const version = { ...earlier, ...facts, files };
  return withModel(records, added.model, { ...model, versions: withEntry(model.versions, added.version, version) });
}

/** A file that is entered again leaves the records as they are, so nothing is written for it. */
const isSameFile = (a: FileRecord | undefined, b: FileRecord): boolean =>
  a?.sha256 === b.sha256 &&
  a.sizeBytes === b.sizeBytes &&
  a.cid === b.cid &&
  a.invalid === undefined &&
  JSON.stringify(a.sources) === JSON.stringify(b.sources);

const newVersion = (downloadedAt: string): VersionRecord => ({
  type: null,
  ipfsHash: null,
  hfRevision: null,
  downloadedAt,
  replacedAt: null,
  pinned: false,
  files: new Map(),
});

/** The version whose files the views show; the one before it becomes the previous one. */
export function makeCurrent(records: ModelRecords, name: string, version: string, at: string): ModelRecords {
  const model = records.get(name);
  if (model === undefined || model.version === version) return records;
  const versions = new Map(model.versions);
  const [leaving, entering] = [model.version === null ? undefined : versions.get(model.version), versions.get(version)];
  if (leaving !== undefined) versions.set(model.version!, { ...leaving, replacedAt: at });
  if (entering !== undefined) versions.set(version, { ...entering, replacedAt: null });
  return withModel(records, name, { ...model, version, previousVersion: model.version, versions });
}

export function setPinned(records: ModelRecords, name: string, version: string, pinned: boolean): ModelRecords {
  const model = records.get(name);
  const found = model?.versions.get(version);
  if (model === undefined || found === undefined || found.pinned === pinned) return records;
  return withModel(records, name, { ...model, versions: withEntry(model.versions, version, { ...found, pinned }) });
}

/** Forgets versions; which ones may be forgotten is the sweep's decision. */
export function dropVersions(records: ModelRecords, name: string, dropped: ReadonlySet<string>): ModelRecords {
  const model = records.get(name);
  if (model === undefined) return records;
  const versions = new Map([...model.versions].filter(([version]) => !dropped.has(version)));
  const previousVersion = dropped.has(model.previousVersion ?? '') ? null : model.previousVersion;
  return withModel(records, name, { ...model, versions, previousVersion });
}

/** Marks every use of a content as gone, or as back again. */
export function markContent(records: ModelRecords, sha256: string, invalid: string | undefined): ModelRecords {
  const mark = (file: FileRecord): FileRecord => {
    const { invalid: before, ...facts } = file;
    if (file.sha256 !== sha256 || before === invalid) return file;
    return { ...facts, ...(invalid === undefined ? {} : { invalid }) };
  };
  const markVersion = (version: VersionRecord): VersionRecord => ({
    ...version,
    files: mapValues(version.files, mark),
  });
  return mapValues(records, (model) => ({ ...model, versions: mapValues(model.versions, markVersion) }));
}

/** True when both cannot stand in one folder: one name in two spellings, or a file where the other needs a folder. */
export function pathsCollide(a: string, b: string): boolean {
  if (a === b) return false;
  const [x, y] = [foldedPath(a), foldedPath(b)];
  return x === y || x.startsWith(`${y}/`) || y.startsWith(`${x}/`);
}

/** Every path that any version of the model ever showed. */
export const pathsOf = (model: ModelRecord | undefined): Set<string> =>
  new Set([...(model?.versions.values() ?? [])].flatMap((version) => [...version.files.keys()]));

const withModel = (records: ModelRecords, name: string, model: ModelRecord): ModelRecords =>
  withEntry(records, name, model);

function withEntry<V>(map: ReadonlyMap<string, V> | undefined, key: string, value: V): Map<string, V> {
  return new Map(map).set(key, value);
}

const mapValues = <V>(map: ReadonlyMap<string, V>, change: (value: V) => V): ReadonlyMap<string, V> =>
  new Map([...map].map(([key, value]) => [key, change(value)]));
