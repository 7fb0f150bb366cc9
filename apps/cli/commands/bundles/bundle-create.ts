import { readdirSync, statSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Compression } from '#content/archives/decompress';
import { codeOf } from '#core/error-facts';
import { StorageError, VerifyError } from '#core/failure';
import type { SourceSpec } from '#core/file-spec';
import { clashReason, pathIndex, unsafePathReason } from '#core/text/safe-path';
import { formatBytes, KIB } from '#core/units';
import { createBundle, type BundleFile, type BundleModel } from '#store/models/bundle-writer';
import { blobPath, type StorePaths } from '#store/layout';
import type { ModelRecord, VersionRecord } from '#store/models/model-records';
import { readStore, type ReadOnlyStore } from '#store/read-only-store';
import { namesOf } from '../../bundle/listed.ts';
import { cliErrorOf } from '../../cli-error-of.ts';
import type { CommandContext } from '../../context.ts';
import { CliError, EXIT } from '../../exit-code.ts';
import { parseModel } from '../../typed.ts';
import { haulierHome } from '../../stack/stack-config.ts';
import { longWorkOf } from '../../terminal/long-work.ts';
import type { ProgressMode } from '../../terminal/progress.ts';

export interface BundleCreateOptions {
  readonly output: string;
  readonly json?: boolean;
  readonly progress: ProgressMode;
}

/** Writes models of this host's store into one bundle. Only reads the store. */
export async function bundleCreate(
  names: readonly string[],
  options: BundleCreateOptions,
  context: CommandContext,
): Promise<void> {
  const compression = compressionOf(options.output);
  const label = options.output;
  const work = longWorkOf(options.progress, context);
  try {
    const store = await readStore(haulierHome(context.env));
    const models = distinct(names.map((name) => bundleModel(name, store)));
    const { members } = await createBundle(models, options.output, {
      compression,
      signal: context.signal,
      onProgress: (doneBytes, totalBytes) => work.update({ label, doneBytes, totalBytes, note: '' }),
    });
    work.end();
    const sizeBytes = (await stat(options.output)).size;
    const contained = models.map(({ manifest }) => `${manifest.name}@${manifest.version}`);
    context.stdout.write(
      options.json
        ? `${JSON.stringify({ path: options.output, sizeBytes, models: contained, members: members.length })}\n`
        : `${options.output}  ${formatBytes(sizeBytes)}  ${members.length} contents of ${contained.join(', ')}\n`,
    );
  } catch (error) {
    throw cliErrorOf(error, hintOf);
  } finally {
    work.end();
  }
}

/** A model may be named twice: with its version and without. */
const distinct = (models: readonly BundleModel[]): BundleModel[] => [
  ...new Map(models.map((model) => [`${model.manifest.name}@${model.manifest.version}`, model])).values(),
];

/** Kind of bundle by the end of its name, in lower case. */
const SUFFIXES: readonly (readonly [string, Compression | undefined])[] = [
  ['.tar', undefined],
  ['.tar.gz', 'gzip'],
  ['.tgz', 'gzip'],
  ['.tar.zst', 'zstd'],
  ['.tar.zstd', 'zstd'],
  ['.tzst', 'zstd'],
];

/** @throws CliError for a name with another ending: its reader would expect another format */
function compressionOf(output: string): Compression | undefined {
  const name = output.toLowerCase();
  const found = SUFFIXES.find(([suffix]) => name.endsWith(suffix));
  if (found !== undefined) return found[1];
  throw new CliError(
    EXIT.usage,
    `--output is "${output}", whose ending is of no kind of bundle: write a name that ends in .tar (can be read in part, also over HTTP), .tar.gz or .tar.zst`,
  );
}

function bundleModel(what: string, { records, paths }: ReadOnlyStore): BundleModel {
  const { name, version: wanted } = parseModel(what);
  const record = records.get(name);
  if (record === undefined)
    throw new CliError(
      EXIT.nothingToDo,
      `model "${name}" is not on this host; it has: ${[...records.keys()].join(', ') || 'none'}`,
    );
  const version = wanted ?? record.version ?? undefined;
  const found = versionOf(record, name, version);
  refuseUnsafe(`${name}@${version}`, found);
  refuseIncomplete(`${name}@${version}`, found, paths);
  const files: BundleFile[] = [];
  const entries: ManifestEntry[] = [];
  for (const [path, { sha256, sizeBytes, cid, sources }] of found.files) {
    files.push({ sha256, sizeBytes, cid, filePath: blobPath(paths, sha256) });
    entries.push({
      ...(cid === undefined ? {} : { cid }),
      path,
      sha256,
      sizeBytes,
      ...(sources === undefined ? {} : { sources }),
    });
  }
  const manifest = {
    schema: 'haulier.manifest/v1',
    name,
    type: found.type ?? 'model',
    version: version!,
    files: entries,
    ...(found.ipfsHash === null ? {} : { cid: found.ipfsHash }),
  };
  return { manifest, files };
}

/** A file of a manifest (`ManifestFile` of contracts), with its keys in the order of the index. */
interface ManifestEntry {
  readonly cid?: string;
  readonly path: string;
  readonly sha256: string;
  readonly sizeBytes: number;
  readonly sources?: readonly SourceSpec[];
}

function versionOf(record: ModelRecord, name: string, version: string | undefined): VersionRecord {
  const has = [...record.versions.keys()].join(', ') || 'none';
  if (version === undefined)
    throw new CliError(EXIT.failed, `no version of model "${name}" is complete on this host; it has parts of: ${has}`);
  const found = record.versions.get(version);
  if (found !== undefined) return found;
  throw new CliError(EXIT.nothingToDo, `version "${version}" of model "${name}" is not on this host; it has: ${has}`);
}

/** Refuses paths that other hosts do not publish: the records may have been edited by hand. */
function refuseUnsafe(what: string, { files }: VersionRecord): void {
  const seen = pathIndex();
  for (const path of files.keys()) {
    const unsafe = unsafePathReason(path);
    const other = seen.clashOf(path);
    const reason =
      unsafe === undefined ? other && clashReason(path, other) : `the path ${JSON.stringify(path)} ${unsafe}`;
    if (reason !== undefined) throw new CliError(EXIT.failed, `${what} cannot be bundled: ${reason}`);
    seen.add(path);
  }
}

/**
 * Checks every file before the first byte is written. Small files are only looked up in the list of their folder, because there may be
 * ten thousand of them, and their bytes are read soon after.
 */
function refuseIncomplete(what: string, { files }: VersionRecord, paths: StorePaths): void {
  const missing: string[] = [];
  const listed = new Map<string, ReadonlySet<string>>();
  for (const [path, { sha256, sizeBytes, invalid }] of files) {
    const problem = invalid ?? blobProblem(blobPath(paths, sha256), sha256, sizeBytes, listed);
    if (problem !== undefined) missing.push(`${path} (${problem})`);
  }
  if (missing.length > 0)
    throw new CliError(
      EXIT.failed,
      `${what} cannot be bundled before these files are fetched again: ${namesOf(missing)}`,
    );
}

const SMALL_BYTES = 64 * KIB;

function blobProblem(
  blob: string,
  sha256: string,
  sizeBytes: number,
  listed: Map<string, ReadonlySet<string>>,
): string | undefined {
  if (sizeBytes > SMALL_BYTES) {
    const size = statSync(blob, { throwIfNoEntry: false })?.size;
    return size === sizeBytes ? undefined : size === undefined ? 'missing' : `${size} bytes`;
  }
  const folder = dirname(blob);
  let names = listed.get(folder);
  if (names === undefined) listed.set(folder, (names = namesIn(folder)));
  return names.has(sha256) ? undefined : 'missing';
}

function namesIn(folder: string): ReadonlySet<string> {
  try {
    return new Set(readdirSync(folder));
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return new Set();
    throw StorageError.from(error, folder);
  }
}

const hintOf = (error: Error): string =>
  error instanceof VerifyError ? '; run `haulier worker verify` to find all wrong files' : '';
