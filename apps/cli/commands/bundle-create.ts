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
import { bundleProgress } from '../bundle/bundle-progress.ts';
import { namesOf } from '../bundle/listed.ts';
import { cliErrorOf } from '../cli-error-of.ts';
import type { CommandContext } from '../context.ts';
import { CliError, EXIT } from '../exit-code.ts';
import { parseModel } from '../model-name.ts';
import { haulierHome } from '../stack/stack-config.ts';
import type { ProgressMode } from '../terminal/progress.ts';

export interface BundleCreateOptions {
  readonly output: string;
  readonly json?: boolean;
  readonly progress: ProgressMode;
}

/** Writes models of this host's store into one bundle; the store is only read. */
export async function bundleCreate(
  names: readonly string[],
  options: BundleCreateOptions,
  context: CommandContext,
): Promise<void> {
  const compression = compressionOf(options.output);
  const show = bundleProgress(options.output, options.progress, context);
  try {
    const store = await readStore(haulierHome(context.env));
    const models = distinct(names.map((name) => bundleModel(name, store)));
    const { members } = await createBundle(models, options.output, {
      compression,
      signal: context.signal,
      onProgress: show.update,
    });
    show.end();
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
    show.end();
  }
}

/** One model may be named twice: as it is shown, and by its version. */
const distinct = (models: readonly BundleModel[]): BundleModel[] => [
  ...new Map(models.map((model) => [`${model.manifest.name}@${model.manifest.version}`, model])).values(),
];

/** By the end of the name, in any case. */
const SUFFIXES: readonly (readonly [string, Compression | undefined])[] = [
  ['.tar', undefined],
  ['.tar.gz', 'gzip'],
  ['.tgz', 'gzip'],
  ['.tar.zst', 'zstd'],
  ['.tar.zstd', 'zstd'],
  ['.tzst', 'zstd'],
];

/** @throws CliError for a name that promises something else, or nothing: the reader would find other bytes than it says */
function compressionOf(output: string): Compression | undefined {
  const name = output.toLowerCase();
  const found = SUFFIXES.find(([suffix]) => name.endsWith(suffix));
  if (found !== undefined) return found[1];
  throw new CliError(
    EXIT.usage,
    `--output is "${output}", whose end names no kind of bundle: end it in .tar (can be read in part, also over HTTP), .tar.gz or .tar.zst`,
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

/** A file of a manifest (`ManifestFile` of contracts), its keys in the order of the index. */
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

/** What another host would not publish is not bundled. The records may have been edited by hand. */
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
 * Every file is looked at before the first byte is written. Small ones are looked for in the list of their folder only: there may be
 * ten thousand of them, and all of their bytes are read soon.
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
      `${what} cannot be bundled, these files must be fetched again first: ${namesOf(missing)}`,
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
  error instanceof VerifyError ? '; haulier worker verify finds what else is wrong' : '';
