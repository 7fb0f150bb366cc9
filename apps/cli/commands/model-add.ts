import { writeFile } from 'node:fs/promises';
import type { IngestProgress } from '#ingest/draft';
import { SourceError, StorageError } from '#core/failure';
import { formatBytes } from '#core/units';
import { parseAddressPolicy } from '#http/address/address-policy';
import { createHttp } from '#http/pool';
import { openStore } from '#store/open-store';
import { clientFrom, withApi } from '../api-client.ts';
import { cliErrorOf } from '../cli-error-of.ts';
import type { CommandContext } from '../context.ts';
import { CliError, EXIT } from '../exit-code.ts';
import { addRequest, type AddRequest, type ModelAddOptions } from '../ingest/add-request.ts';
import { composeManifest, type ComposedManifest } from '../ingest/compose-manifest.ts';
import { storeFolder, type StoredFolder } from '../ingest/store-folder.ts';
import { whereFrom } from '../ingest/where-from.ts';
import { proxyOf } from '../network.ts';
import { haulierHome } from '../stack/stack-config.ts';
import { longWork, type LongWork } from '../terminal/long-work.ts';
import type { ProgressItem } from '../terminal/progress-lines.ts';
import { createProgress } from '../terminal/progress.ts';
import { usageOf } from '../usage.ts';

/** Makes a manifest from a hub, IPFS, a folder or a recipe, and publishes it to the API or prints it. */
export async function modelAdd(
  name: string | undefined,
  options: ModelAddOptions,
  context: CommandContext,
): Promise<void> {
  const request = usageOf(() => addRequest(name, options, context.env));
  const now = (): number => performance.now();
  const work = longWork(context.stderr, createProgress(options.progress, context.stderr, context.env, now), now);
  try {
    const composed = await compose(request, work, context);
    const stored = await storedFiles(request, composed, options, work, context);
    if (options.output !== undefined) await writeBlock(options.output, composed);
    if (!options.print) {
      work.step('publishing the manifest');
      await withApi(() => clientFrom(context.env).publishVersion(composed.manifest));
      await stored?.show();
    }
    work.end();
    tell(composed, options, context);
    if (!options.print) context.stderr.write(`${whereFrom(request, composed, stored !== undefined)}\n`);
  } finally {
    work.end();
  }
}

/** The files of a folder are nowhere else: they enter the store of this host before anyone may ask for them. */
async function storedFiles(
  { origin }: AddRequest,
  { manifest }: ComposedManifest,
  options: ModelAddOptions,
  work: LongWork,
  { env, signal }: CommandContext,
): Promise<StoredFolder | undefined> {
  if (origin.kind !== 'folder' || options.print || options.store === false) return undefined;
  work.step(`copying the files into the store of this host`);
  try {
    const store = await openStore({ home: haulierHome(env) });
    return await storeFolder(store, origin.folder, manifest, { signal, onBytes: (progress) => work.update(progress) });
  } catch (error) {
    throw signal.aborted ? error : cliErrorOf(error);
  }
}

async function compose(request: AddRequest, work: LongWork, context: CommandContext): Promise<ComposedManifest> {
  const http = createHttp({
    addressPolicy: parseAddressPolicy(request.allowAddresses, request.allowPrivate),
    proxy: proxyOf(context.env),
    ca: request.ca,
  });
  const meter = speedometer();
  try {
    return await composeManifest(request, {
      http,
      signal: context.signal,
      onStep: (what) => work.step(what),
      onProgress: (progress) => work.update(meter(request.name, progress)),
    });
  } catch (error) {
    throw context.signal.aborted ? error : cliErrorOf(error, hintOf);
  } finally {
    http.close();
  }
}

/** Average speed since the first bytes: enough for an estimate of the rest. */
function speedometer(): (label: string, progress: IngestProgress) => ProgressItem {
  const startedAt = performance.now();
  return (label, { what, doneBytes, totalBytes }) => {
    const bytesPerSecond = doneBytes / Math.max(0.001, (performance.now() - startedAt) / 1000);
    return { label, doneBytes, totalBytes, bytesPerSecond, note: what };
  };
}

async function writeBlock(path: string, { block }: ComposedManifest): Promise<void> {
  try {
    await writeFile(path, block.bytes);
  } catch (error) {
    throw new CliError(EXIT.failed, `the manifest cannot be written: ${StorageError.from(error, path).message}`, {
      cause: error,
    });
  }
}

function tell(
  { manifest, block, withoutCid }: ComposedManifest,
  options: ModelAddOptions,
  context: CommandContext,
): void {
  const { name, version, files } = manifest;
  const bytes = files.reduce((sum, file) => sum + (file.sizeBytes ?? 0), 0);
  const verb = options.print ? 'composed, not published' : 'published';
  const count = files.length === 1 ? '1 file' : `${files.length} files`;
  context.stderr.write(`${name}@${version}  ${count}, ${formatBytes(bytes)}  ${verb}\n`);
  if (withoutCid.length > 0)
    context.stderr.write(
      `not in the IPFS folder, so without CID: ${withoutCid.slice(0, 10).join(', ')}${withoutCid.length > 10 ? ', …' : ''}\n`,
    );
  if (options.json) context.stdout.write(`${JSON.stringify({ name, version, files, cid: block.cid })}\n`);
  else if (options.print) context.stdout.write(`${new TextDecoder().decode(block.bytes)}\n`);
  else context.stdout.write(`${block.cid}  ${name}@${version}\n`);
  if (options.print && !options.json) context.stderr.write(`${block.cid}\n`);
}

/** What a bare status of a hub usually means. */
function hintOf(error: Error): string {
  if (!(error instanceof SourceError) || !/^answered \d+$/.test(error.message)) return '';
  const { httpStatus } = error;
  if (httpStatus === 401) return ': no such repository, or it is private and needs HF_TOKEN';
  if (httpStatus === 403) return ': it is gated or private: accept its terms on the hub and set HF_TOKEN';
  return httpStatus === 404 ? ': no such repository, revision or file; is it a data set (--repo-type dataset)?' : '';
}
