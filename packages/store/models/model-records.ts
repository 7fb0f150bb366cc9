import { canonicalCid } from '#content/cid/canonical-cid';
import { StorageError } from '#core/failure';
import type { SourceSpec } from '#core/file-spec';

/** The shape of `.manifests.json`. Applications read it without us: fields are added, never changed. */
export const MANIFESTS_SCHEMA = 'haulier.manifests/v1';

export interface FileRecord {
  readonly sha256: string;
  readonly sizeBytes: number;
  readonly cid?: string | undefined;
  /** Where it may come from, as its manifest says. */
  readonly sources?: readonly SourceSpec[] | undefined;
  /** ISO 8601. */
  readonly publishedAt: string;
  /** Why the file was taken away; the next request fetches it again. */
  readonly invalid?: string | undefined;
}

export interface VersionRecord {
  /** What the model is for, such as `stt`; null when it is not known. */
  readonly type: string | null;
  /** CID of the manifest or folder this version was published as. */
  readonly ipfsHash: string | null;
  readonly hfRevision: string | null;
  /** ISO 8601; when the first file of the version arrived. */
  readonly downloadedAt: string;
  /** ISO 8601; when another version took its place. */
  readonly replacedAt: string | null;
  /** Kept for ever; while it is current, no other version takes its place by itself. */
  readonly pinned: boolean;
  /** By path. */
  readonly files: ReadonlyMap<string, FileRecord>;
}

export interface ModelRecord {
  /** The version whose files the views show. Null until one is complete. */
  readonly version: string | null;
  /** What a rollback goes back to. */
  readonly previousVersion: string | null;
  readonly versions: ReadonlyMap<string, VersionRecord>;
}

export type ModelRecords = ReadonlyMap<string, ModelRecord>;

interface VersionJson {
  type?: string | null;
  ipfsHash: string | null;
  hfRevision: string | null;
  downloadedAt: string | null;
  replacedAt?: string | null;
  pinned: boolean;
  files: Record<string, FileRecord>;
}

interface ModelJson extends VersionJson {
  version: string | null;
  previousVersion: string | null;
  otherVersions: Record<string, VersionJson>;
}

/** @returns the text of `.manifests.json`: the current version's facts at the top of each model, the others below it */
export function encodeRecords(records: ModelRecords): string {
  const models: Record<string, ModelJson> = {};
  for (const name of [...records.keys()].sort()) models[name] = encodeModel(records.get(name)!);
  return `${JSON.stringify({ schema: MANIFESTS_SCHEMA, models }, undefined, 2)}\n`;
}

function encodeModel(model: ModelRecord): ModelJson {
  const others = [...model.versions].filter(([version]) => version !== model.version);
  const current = model.version === null ? undefined : model.versions.get(model.version);
  return {
    version: model.version,
    ...(current === undefined
      ? { type: null, ipfsHash: null, hfRevision: null, downloadedAt: null, pinned: false, files: {} }
      : encodeVersion(current)),
    previousVersion: model.previousVersion,
    otherVersions: Object.fromEntries(others.map(([version, record]) => [version, encodeVersion(record)])),
  };
}

const encodeVersion = (record: VersionRecord): VersionJson => ({
  ...record,
  files: Object.fromEntries([...record.files].sort(([a], [b]) => (a < b ? -1 : 1))),
});

/**
 * @returns undefined when the text is damaged: a crash of the disk, or another program
 * @throws StorageError `newer-layout` when a newer program wrote it
 */
export function decodeRecords(text: string, path: string): ModelRecords | undefined {
  try {
    const value = JSON.parse(text) as { schema?: unknown; models?: Record<string, ModelJson> };
    refuseNewer(value.schema, path);
    if (value.schema !== MANIFESTS_SCHEMA || value.models === undefined) return undefined;
    return new Map(Object.entries(value.models).map(([name, model]) => [name, decodeModel(model)]));
  } catch (error) {
    if (error instanceof StorageError) throw error;
    return undefined;
  }
}

function refuseNewer(schema: unknown, path: string): void {
  const number = typeof schema === 'string' ? /^haulier\.manifests\/v(\d+)$/.exec(schema)?.[1] : undefined;
  if (number !== undefined && Number(number) > 1)
    throw new StorageError(
      'newer-layout',
      path,
      `${path} has schema ${JSON.stringify(schema)}, this program knows ${MANIFESTS_SCHEMA}: use the newer haulier that wrote it`,
    );
}

function decodeModel(model: ModelJson): ModelRecord {
  const versions = new Map(Object.entries(model.otherVersions).map(([name, json]) => [name, decodeVersion(json)]));
  if (model.version !== null) versions.set(model.version, decodeVersion(model));
  return { version: model.version, previousVersion: model.previousVersion, versions };
}

function decodeVersion(json: VersionJson): VersionRecord {
  const files = new Map(Object.entries(json.files));
  for (const file of files.values())
    if (typeof file.sha256 !== 'string' || typeof file.sizeBytes !== 'number') throw new TypeError('not a file record');
  return {
    type: json.type ?? null,
    ipfsHash: versionHash(json.ipfsHash, files),
    hfRevision: json.hfRevision,
    downloadedAt: json.downloadedAt ?? new Date(0).toISOString(),
    replacedAt: json.replacedAt ?? null,
    pinned: json.pinned === true,
    files,
  };
}

/** @returns null for the CID of one of the version's files: that one names no version, and earlier programs wrote it as if it did */
export function versionHash(ipfsHash: string | null, files: ReadonlyMap<string, FileRecord>): string | null {
  if (ipfsHash === null) return null;
  const named = canonicalCid(ipfsHash);
  const isOfFile = [...files.values()].some(({ cid }) => cid !== undefined && canonicalCid(cid) === named);
  return isOfFile ? null : ipfsHash;
}

export interface FileUse {
  readonly model: string;
  readonly version: string;
  readonly path: string;
  readonly file: FileRecord;
  readonly current: boolean;
}

/** Every file of every version of every model. */
export function* filesOf(records: ModelRecords): Generator<FileUse> {
  for (const [model, record] of records)
    for (const [version, { files }] of record.versions)
      for (const [path, file] of files) yield { model, version, path, file, current: version === record.version };
}
