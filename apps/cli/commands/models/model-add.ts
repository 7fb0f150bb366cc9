import { writeFile } from 'node:fs/promises';
import { SourceError, StorageError } from '#core/failure';
import { formatBytes } from '#core/units';
import { parseAddressPolicy } from '#http/address/address-policy';
import { createHttp } from '#http/pool';
import { openStore } from '#store/open-store';
import { clientFrom, withApi } from '../../api-client.ts';
import { cliErrorOf } from '../../cli-error-of.ts';
import type { CommandContext } from '../../context.ts';
import { CliError, EXIT } from '../../exit-code.ts';
import { addRequest, type AddRequest, type ModelAddOptions } from '../../ingest/add-request.ts';
import { composeManifest, type ComposedManifest } from '../../ingest/compose-manifest.ts';
import { storeFolder, type StoredFolder } from '../../ingest/store-folder.ts';
import { proxyOf } from '../../network.ts';
import { haulierHome } from '../../stack/stack-config.ts';
import { longWorkOf, type LongWork } from '../../terminal/long-work.ts';
import { usageOf } from '../../cli-error-of.ts';

/** Makes a manifest from a hub, IPFS, a folder or a recipe, and publishes it to the API or prints it. */
export async function modelAdd(
  name: string | undefined,
  options: ModelAddOptions,
  context: CommandContext,
): Promise<void> {
  const request = usageOf(() => addRequest(name, options, context.env));
  const work = longWorkOf(options.progress, context);
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
    if (!options.print) context.stderr.write(`${originSentence(request, composed, stored !== undefined)}\n`);
  } finally {
    work.end();
  }
}

/** Copies the files of a folder into the store of this host before the manifest is published, because no other source has them. */
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
    return await storeFolder(store, origin.folder, manifest, { signal, onBytes: work.update });
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
  try {
    return await composeManifest(request, {
      http,
      signal: context.signal,
      onStep: (what) => work.step(what),
      onProgress: ({ what, ...bytes }) => work.update({ label: request.name, note: what, ...bytes }),
    });
  } catch (error) {
    throw context.signal.aborted ? error : cliErrorOf(error, hintOf);
  } finally {
    http.close();
  }
}

/** @returns one sentence: the sources from which hosts get the files of the published model */
function originSentence({ origin }: AddRequest, { manifest }: ComposedManifest, isStored: boolean): string {
  const model = `${manifest.name}@${manifest.version}`;
  switch (origin.kind) {
    case 'hub': {
      const hub = new URL(origin.endpoint).host;
      return `hosts get it from ${hub}, repository ${origin.repo}${origin.ipfs === undefined ? '' : ', and from their IPFS gateways'}`;
    }
    case 'ipfs':
    case 'manifest':
      return 'hosts get it from their IPFS gateways, by the CIDs of its files, and from sources that the manifest names';
    case 'folder':
      return (
        (isStored ? 'the files are in the store of this host' : `only ${origin.folder} has the files`) +
        `; the manifest names no source, so other hosts get ${model} from a bundle ` +
        `(haulier bundle create ${model} -o ${manifest.name}.tar, then HAULIER_BUNDLES there), ` +
        (isStored
          ? 'or from an IPFS gateway that has its files, such as `haulier serve` on this host (IPFS_GATEWAYS there)'
          : 'or from their IPFS gateways once its files are on IPFS')
      );
  }
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

/** The usual meaning of a bare status of a hub. */
function hintOf(error: Error): string {
  if (!(error instanceof SourceError) || !/^answered \d+$/.test(error.message)) return '';
  const { httpStatus } = error;
  if (httpStatus === 401) return ': no such repository, or it is private and needs HF_TOKEN';
  if (httpStatus === 403) return ': it is gated or private: accept its terms on the hub and set HF_TOKEN';
  return httpStatus === 404 ? ': no such repository, revision or file; is it a data set (--repo-type dataset)?' : '';
}
