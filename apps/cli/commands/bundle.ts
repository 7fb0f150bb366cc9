import { stat } from 'node:fs/promises';
import { Manifest } from '#contracts/manifest';
import { StorageError, VerifyError } from '#core/failure';
import { formatBytes } from '#core/units';
import { verifyBundle } from '#sources/bundle-verify';
import { createBundle, type BundleModel } from '#store/bundle-writer';
import { blobPath } from '#store/layout';
import type { ModelRecord, ModelRecords, VersionRecord } from '#store/model-records';
import { openStore, type Store } from '#store/open-store';
import { cliErrorOf } from '../cli-error-of.ts';
import type { CommandContext } from '../context.ts';
import { CliError, EXIT } from '../exit-code.ts';
import { parseModel } from '../model-name.ts';
import { haulierHome } from '../stack/stack-config.ts';
import { longWork } from '../terminal/long-work.ts';
import { createProgress, type ProgressMode } from '../terminal/progress.ts';

interface BundleOptions {
  readonly json?: boolean;
  readonly progress: ProgressMode;
}

/** Writes models of this host's store into one bundle. */
export async function bundleCreate(
  names: readonly string[],
  options: BundleOptions & { readonly output: string },
  context: CommandContext,
): Promise<void> {
  const show = progressOf(options.output, options, context);
  try {
    const store = await openStore({ home: haulierHome(context.env) });
    const records = await store.records();
    const models = await Promise.all(names.map((name) => bundleModel(name, records, store)));
    const { members } = await createBundle(models, options.output, {
      compression: /\.t?gz$/.test(options.output) ? 'gzip' : undefined,
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

/** Checks every member of a bundle against its digest. */
export async function bundleVerify(path: string, options: BundleOptions, context: CommandContext): Promise<void> {
  const totalBytes = await stat(path).then(
    ({ size }) => size,
    (error: unknown) => {
      throw new CliError(EXIT.usage, `"${path}" cannot be read: ${StorageError.from(error, path).message}`);
    },
  );
  const show = progressOf(path, options, context);
  try {
    const onProgress = (doneBytes: number): void => show.update(doneBytes, totalBytes);
    const { memberCount, checkedBytes, problems } = await verifyBundle(path, { signal: context.signal, onProgress });
    show.end();
    if (options.json)
      context.stdout.write(`${JSON.stringify({ path, members: memberCount, checkedBytes, problems })}\n`);
    else if (problems.length === 0)
      context.stdout.write(`${path}  ${memberCount} contents, ${formatBytes(checkedBytes)}, all right\n`);
    if (problems.length > 0)
      throw new CliError(EXIT.failed, `${path} is damaged:\n${problems.map((problem) => `  ${problem}`).join('\n')}`);
  } catch (error) {
    throw cliErrorOf(error, hintOf);
  } finally {
    show.end();
  }
}

function progressOf(label: string, { progress }: BundleOptions, { stderr, env }: CommandContext) {
  const now = (): number => performance.now();
  const startedAt = now();
  const work = longWork(stderr, createProgress(progress, stderr, env, now), now);
  const update = (doneBytes: number, totalBytes: number): void =>
    work.update({
      ...{ label, doneBytes, totalBytes, note: '' },
      bytesPerSecond: (doneBytes / Math.max(1, now() - startedAt)) * 1000,
    });
  return { update, end: () => work.end() };
}

async function bundleModel(what: string, records: ModelRecords, store: Store): Promise<BundleModel> {
  const { name, version: wanted } = parseModel(what);
  const record = records.get(name);
  if (record === undefined)
    throw new CliError(
      EXIT.nothingToDo,
      `model "${name}" is not on this host; it has: ${[...records.keys()].join(', ') || 'none'}`,
    );
  const version = wanted ?? record.version ?? undefined;
  const found = versionOf(record, name, version);
  await refuseIncomplete(`${name}@${version}`, found, store);
  const files = [...found.files].map(([path, { sha256, sizeBytes, cid, sources }]) => ({
    ...{ path, sha256, sizeBytes, cid },
    ...(sources === undefined ? {} : { sources }),
  }));
  const manifest = Manifest.parse({
    name,
    ...(found.type === null ? {} : { type: found.type }),
    version,
    files,
    ...(found.ipfsHash === null ? {} : { cid: found.ipfsHash }),
  });
  return { manifest, files: files.map((file) => ({ ...file, filePath: blobPath(store.paths, file.sha256) })) };
}

function versionOf(record: ModelRecord, name: string, version: string | undefined): VersionRecord {
  const has = [...record.versions.keys()].join(', ') || 'none';
  if (version === undefined)
    throw new CliError(EXIT.failed, `no version of model "${name}" is complete on this host; it has parts of: ${has}`);
  const found = record.versions.get(version);
  if (found !== undefined) return found;
  throw new CliError(EXIT.nothingToDo, `version "${version}" of model "${name}" is not on this host; it has: ${has}`);
}

async function refuseIncomplete(what: string, { files }: VersionRecord, store: Store): Promise<void> {
  const missing: string[] = [];
  for (const [path, { sha256, sizeBytes, invalid }] of files) {
    const size = await stat(blobPath(store.paths, sha256)).then(
      (found) => found.size,
      () => undefined, // whatever hides it, it cannot be bundled
    );
    if (invalid !== undefined) missing.push(`${path} (${invalid})`);
    else if (size !== sizeBytes) missing.push(`${path} (${size === undefined ? 'missing' : `${size} bytes`})`);
  }
  if (missing.length > 0)
    throw new CliError(
      EXIT.failed,
      `${what} cannot be bundled, these files must be fetched again first: ${missing.join(', ')}`,
    );
}

const hintOf = (error: Error): string =>
  error instanceof VerifyError ? '; haulier worker verify finds what else is wrong' : '';
