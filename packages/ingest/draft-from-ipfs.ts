import { createHash } from 'node:crypto';
import { buildLeafTable } from '#content/leaf/build-leaf-table';
import { parseCid } from '#content/cid/cid';
import { CODEC } from '#content/cid/cid-bytes';
import type { LeafTable } from '#content/leaf/leaf-table';
import { listFiles, resolvePath, type IpfsFile } from '#content/dag/resolve-path';
import { decodeUnixfsNode, UNIXFS_TYPE } from '#content/dag/unixfs-node';
import { verifiedBlocks, type FetchBlock } from '#content/dag/verified-blocks';
import { VerifyError } from '#core/failure';
import { unsafePathReason } from '#core/text/safe-path';
import { MIB } from '#core/units';
import type { Draft, DraftFile, OnIngestProgress } from './draft.ts';
import { mapConcurrently } from '#core/async/map-concurrently';

export interface IpfsIngestOptions {
  readonly fetchBlock: FetchBlock;
  /** Decides by the path below the CID. */
  readonly isWanted: (path: string) => boolean;
  readonly signal: AbortSignal;
  readonly onProgress?: OnIngestProgress | undefined;
}

/** Files whose blocks are fetched at once. */
const AT_ONCE = 8;
/** A file of one block is at most this long: its block is read, which gives its SHA-256 too. */
const BLOCK_BYTES = 2 * MIB;

/** True for the CID of a dag-json block: a manifest that was published on IPFS. */
export const isManifestCid = (text: string): boolean => parseCid(text).codec === CODEC.dagJson;

/**
 * Lists an IPFS folder, basic or sharded, or a single file, from verified blocks only.
 *
 * @param text a CID, alone or with a path, as pasted; a single file is named by the end of the path, else by its CID
 * @throws RangeError for a text that is no CID, or when no file is wanted; VerifyError for content that breaks the rules;
 *   ExhaustedError when no gateway gives the blocks
 */
export async function draftFromIpfs(text: string, options: IpfsIngestOptions): Promise<Draft> {
  const { fetchBlock, signal, isWanted } = options;
  const cid = await resolvePath(text, [], fetchBlock, { signal });
  const all = (await isFolder(cid, options)) ? await listFiles(cid, fetchBlock, { signal }) : [singleFile(text, cid)];
  const wanted = all.filter(({ path }) => isWanted(path));
  if (wanted.length === 0)
    throw new RangeError(
      `${cid} has ${all.length} files, and --include and --exclude leave none of them; the first is "${all[0]?.path ?? ''}"`,
    );
  for (const { path } of wanted) refuseUnsafe(cid, path);
  let done = 0;
  const files = await mapConcurrently(wanted, AT_ONCE, async (file) => {
    const known = await factsOf(file, options);
    options.onProgress?.({ what: `${(done += 1)} of ${wanted.length} files`, doneBytes: 0, totalBytes: undefined });
    return known;
  });
  return { version: cid, cid, files };
}

function refuseUnsafe(cid: string, path: string): void {
  const unsafe = unsafePathReason(path);
  if (unsafe !== undefined) throw new VerifyError('unsupported', `${cid} has ${JSON.stringify(path)}, which ${unsafe}`);
}

async function isFolder(cid: string, { fetchBlock, signal }: IpfsIngestOptions): Promise<boolean> {
  const root = parseCid(cid);
  if (root.codec !== CODEC.dagPb) return false;
  const blocks = verifiedBlocks(fetchBlock, { maxBlockBytes: BLOCK_BYTES, maxTotalBytes: BLOCK_BYTES, signal });
  const { type } = decodeUnixfsNode(await blocks.get(root, cid));
  return type === UNIXFS_TYPE.directory || type === UNIXFS_TYPE.hamt;
}

function singleFile(text: string, cid: string): IpfsFile {
  const { path } = parseCid(text);
  return { path: path.at(-1) ?? cid, cid, sizeBytes: undefined };
}

/** The length of a file of several blocks is in its verified root. A shorter file is read, because only its bytes prove its length. */
async function factsOf({ path, cid, sizeBytes }: IpfsFile, options: IpfsIngestOptions): Promise<DraftFile> {
  const isProven = sizeBytes !== undefined && sizeBytes > BLOCK_BYTES && parseCid(cid).codec === CODEC.dagPb;
  if (isProven) return { path, cid, sizeBytes };
  const { table } = await buildLeafTable(cid, options.fetchBlock, { signal: options.signal });
  return { path, cid, sizeBytes: table.sizeBytes, sha256: sha256OfKnown(table) };
}

/** SHA-256 of a file whose bytes are all in its table. */
function sha256OfKnown(table: LeafTable): string | undefined {
  if (table.known.size < table.count) return undefined;
  const hash = createHash('sha256');
  for (let index = 0; index < table.count; index += 1) hash.update(table.known.get(index)!);
  return hash.digest('hex');
}
