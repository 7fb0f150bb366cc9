import { draftFromFolder } from '#ingest/draft-from-folder';
import { draftFromHub } from '#ingest/draft-from-hub';
import { draftFromIpfs } from '#ingest/draft-from-ipfs';
import { refuseShortFiles, withCids, type Draft, type OnIngestProgress, type WithCids } from '#ingest/draft';
import { gatewayBlocks } from '#ingest/gateway-blocks';
import { selection } from '#ingest/path-filter';
import { parseCid } from '#content/cid/cid';
import { encodeManifestBlock, fetchManifest, type ManifestBlock } from '#content/dag/manifest-block';
import { Manifest } from '#contracts/manifest';
import type { Http } from '#http/pool';
import type { AddRequest, HubOrigin } from './add-request.ts';

export interface ComposedManifest {
  readonly manifest: Manifest;
  /** The manifest as a block of IPFS. */
  readonly block: ManifestBlock;
  /** Files of the hub that the IPFS folder does not have. */
  readonly withoutCid: readonly string[];
}

export interface ComposeHooks {
  readonly http: Http;
  readonly signal: AbortSignal;
  readonly onStep: (what: string) => void;
  readonly onProgress: OnIngestProgress;
}

/**
 * Reads the origin and makes the manifest, which is checked by its contract.
 *
 * @throws RangeError for input that cannot be a manifest; SourceError, ExhaustedError, VerifyError, StorageError
 */
export async function composeManifest(request: AddRequest, hooks: ComposeHooks): Promise<ComposedManifest> {
  const { origin, include, exclude } = request;
  switch (origin.kind) {
    case 'manifest':
      return publishedManifest(origin.cid, request, hooks);
    case 'hub':
      return named(request, await hubDraft(origin, request, hooks));
    case 'ipfs':
      return named(request, { draft: await ipfsDraft(origin.cid, selection(request), request, hooks), unmatched: [] });
    case 'folder':
      hooks.onStep(`reading ${origin.folder}`);
      return named(request, {
        draft: await draftFromFolder(origin.folder, { include, exclude, ...hooks }),
        unmatched: [],
      });
  }
}

function named(request: AddRequest, { draft, unmatched }: WithCids): ComposedManifest {
  refuseShortFiles(draft, request.minBytes);
  const manifest = checkedManifest({
    name: request.name,
    type: request.type,
    version: request.version ?? draft.version,
    files: draft.files,
    ...(draft.sources === undefined ? {} : { sources: draft.sources }),
    ...(draft.cid === undefined ? {} : { cid: draft.cid }),
  });
  return { manifest, block: encodeManifestBlock(manifest), withoutCid: unmatched };
}

/** The block is verified by its CID, read strictly, and keeps its CID. */
async function publishedManifest(
  text: string,
  request: AddRequest,
  { http, signal, onStep }: ComposeHooks,
): Promise<ComposedManifest> {
  const { cid } = parseCid(text);
  onStep(`fetching the manifest ${cid}`);
  const value = await fetchManifest(text, gatewayBlocks({ gateways: request.gateways, http }), signal);
  const manifest = checkedManifest(value);
  if (manifest.name !== request.name)
    throw new RangeError(
      `${cid} is a manifest of the model "${manifest.name}": add it under that name, not as "${request.name}"`,
    );
  return {
    manifest: { ...manifest, cid: manifest.cid ?? cid },
    block: { bytes: encodeManifestBlock(value as object).bytes, cid },
    withoutCid: [],
  };
}

function checkedManifest(value: unknown): Manifest {
  const parsed = Manifest.safeParse(value);
  if (parsed.success) return parsed.data;
  const lines = parsed.error.issues.map(({ path, message }) => `\n  ${path.join('.') || 'manifest'}: ${message}`);
  throw new RangeError(`the manifest is not valid:${lines.join('')}`);
}

async function hubDraft(origin: HubOrigin, request: AddRequest, hooks: ComposeHooks): Promise<WithCids> {
  const { repo, repoType, revision, endpoint, token, ipfs } = origin;
  const { http, signal, onProgress } = hooks;
  hooks.onStep(`asking ${new URL(endpoint).host} for the files of ${repo}@${revision}`);
  const at = { repo, repoType, revision, endpoint, token, include: request.include, exclude: request.exclude };
  const hub = await draftFromHub({ ...at, http, signal, onProgress });
  if (ipfs === undefined) return { draft: hub, unmatched: [] };
  const paths = new Set(hub.files.map(({ path }) => path));
  return withCids(hub, await ipfsDraft(ipfs, (path) => paths.has(path), request, hooks));
}

function ipfsDraft(
  cid: string,
  isWanted: (path: string) => boolean,
  { gateways }: AddRequest,
  { http, signal, onStep, onProgress }: ComposeHooks,
): Promise<Draft> {
  onStep(`listing ${cid}`);
  return draftFromIpfs(cid, { fetchBlock: gatewayBlocks({ gateways, http }), isWanted, signal, onProgress });
}
