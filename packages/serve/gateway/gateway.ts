import { tryParseCid, type ParsedCid } from '#content/cid/cid';
import { CODEC, type CidParts } from '#content/cid/cid-bytes';
import { decodeUnixfsNode, UNIXFS_TYPE } from '#content/dag/unixfs-node';
import { IDENTITY } from '#content/digest/multihash';
import { blockName } from '#content/dag/verified-blocks';
import { VerifyError } from '#core/failure';
import type { Contents } from '../blocks/contents.ts';
import type { Reader, SeenBlocks } from '../blocks/held-blocks.ts';
import { answerContent } from '../http/answer-content.ts';
import { contentTypeOf } from '../http/content-type.ts';
import { matchesNone } from '../http/entity-tags.ts';
import { answerNothing, answerText, headerOf, type Exchange, type Headers } from '../http/exchange.ts';
import type { Readable } from '../http/send-content.ts';
import type { PullCids, PulledFile } from '../pull/pull-cids.ts';
import { answerCar } from './answer-car.ts';
import { askedOf, type Asked } from './asked.ts';
import { contentDisposition, immutableHeaders, type Place } from './gateway-headers.ts';
import { answerFolder } from './answer-folder.ts';
import { isDirectory, resolveHere, type ResolvedPath, type UnresolvedPath } from './resolve.ts';

export interface GatewayParts {
  /** As this reader sees them. */
  readonly blocks: SeenBlocks;
  readonly contents: Contents;
  readonly reader: Reader;
  /** Fetches what is not here, where that is allowed. */
  readonly pull?: PullCids | undefined;
}

/**
 * Answers `/ipfs/CID[/path]` as a trustless and as a path gateway. What is not here, and may not be fetched, is a 404 at once.
 *
 * @throws what reading, proof or the client reject with; nothing more can be sent then
 * @see specs.ipfs.tech: trustless-gateway, path-gateway
 */
export async function answerGateway(exchange: Exchange, parts: GatewayParts): Promise<void> {
  const { method } = exchange.request;
  if (method !== 'GET' && method !== 'HEAD')
    return answerText(exchange, 405, `${method} is not served: GET and HEAD are`, { allow: 'GET, HEAD' });
  const asked = askedOf(exchange);
  if ('status' in asked) return answerText(exchange, asked.status, asked.why);
  // A file is sent as it arrives; where blocks are wanted, each is sent when it is there.
  const seen = asked.wanted.as === 'file' ? parts : { ...parts, blocks: withGrowing(exchange, parts) };
  const found = await findOrPull(exchange, seen, asked);
  if ('file' in found) return answerGrowing(exchange, seen, asked, found);
  if (!('cid' in found)) return answerMissing(exchange, isNoEntry(found));
  const place = placeOf(exchange, found);
  if (asked.wanted.as === 'raw') return answerRaw(exchange, seen, found, place);
  const blocks = blocksBelow(exchange, seen, asked.root);
  if (asked.wanted.as === 'file') return answerEntity(exchange, { ...seen, blocks }, asked, found, place);
  const endBlock = await blocks.get(found.cid);
  if (endBlock === undefined) return answerMissing(exchange, false);
  const { wanted } = asked;
  return answerCar(exchange, blocks, {
    ...{ place, endBlock, wish: wanted.car, pathBlocks: found.pathBlocks },
    end: asked.names.length === 0 ? asked.root : found.cid,
  });
}

/** Blocks of files that are being fetched, and of the store. A file that is published meanwhile is in the store when it is no longer fetched. */
function withGrowing(exchange: Exchange, { blocks, pull }: GatewayParts): SeenBlocks {
  if (pull === undefined || onlyIfCached(exchange)) return blocks;
  return { get: async (cid) => (await pull.blockOf(cid)) ?? blocks.get(cid) };
}

/** Blocks that are here, and below a root that is allowed also those that can be fetched. */
function blocksBelow(exchange: Exchange, { blocks, pull }: GatewayParts, root: ParsedCid): SeenBlocks {
  if (pull?.allows(root) !== true || onlyIfCached(exchange)) return blocks;
  return {
    async get(cid) {
      const here = await blocks.get(cid);
      const wanted = here === undefined ? tryParseCid(blockName(cid)) : undefined;
      if (wanted === undefined) return here;
      await pull.pull(wanted, []);
      return blocks.get(cid);
    },
  };
}

/** What the path leads to, or the file at its end while it is fetched. */
async function findOrPull(
  exchange: Exchange,
  parts: GatewayParts,
  asked: Asked,
): Promise<ResolvedPath | UnresolvedPath | PulledFile> {
  const { blocks } = parts;
  const found = await resolveHere(blocks, asked.root, asked.names);
  const isHere = 'cid' in found && (await blocks.get(found.cid)) !== undefined;
  if (isHere || isNoEntry(found)) return found;
  return (await pulled(exchange, parts, asked)) ?? resolveHere(blocks, asked.root, asked.names);
}

const isNoEntry = (found: ResolvedPath | UnresolvedPath): boolean => 'is' in found && found.is === 'no-entry';

/**
 * Begins to fetch what the path leads to, where that is allowed.
 *
 * @returns the file as it arrives, for a client that takes its bytes; undefined for one that takes blocks, and when everything is here that
 *   can be had
 */
async function pulled(
  exchange: Exchange,
  { pull }: GatewayParts,
  { root, names, wanted }: Asked,
): Promise<PulledFile | undefined> {
  if (pull?.allows(root) !== true || onlyIfCached(exchange)) return undefined;
  const entry = await pull.pull(root, names);
  return entry.is === 'file' && wanted.as === 'file' ? entry : undefined;
}

async function answerGrowing(
  exchange: Exchange,
  { blocks }: GatewayParts,
  { root, names }: Asked,
  { cid, file }: PulledFile,
): Promise<void> {
  const way = await resolveHere(blocks, root, names);
  const facts = contentFacts(exchange, placeOf(exchange, { roots: 'cid' in way ? way.roots : [cid] }));
  const etag = `"${cid}"`;
  if (matchesNone(headerOf(exchange, 'if-none-match'), etag))
    return answerNothing(exchange, 304, { ...facts.headers, etag });
  await file.started;
  if (file.hasFailed) return answerText(exchange, 504, 'it cannot be fetched now', { 'retry-after': 30 });
  const content = file.reader();
  try {
    await answerContent(exchange, content, { etag, ...facts });
  } finally {
    await content.close();
  }
}

const placeOf = (exchange: Exchange, { roots }: Pick<ResolvedPath, 'roots'>): Place => ({
  roots,
  ipfsPath: exchange.path.replace(/\/+$/, ''),
});

const onlyIfCached = (exchange: Exchange): boolean =>
  /(^|[\s,])only-if-cached\b/.test(headerOf(exchange, 'cache-control') ?? '');

/** `only-if-cached` asks whether it is here, and has a code of its own for no. */
function answerMissing(exchange: Exchange, noEntry: boolean): void {
  if (noEntry) answerText(exchange, 404, 'the directory has no such name');
  else if (onlyIfCached(exchange)) answerText(exchange, 412, 'it is not here');
  else answerText(exchange, 404, 'it is not here');
}

async function answerRaw(exchange: Exchange, parts: GatewayParts, { cid }: ResolvedPath, place: Place): Promise<void> {
  const block = await parts.blocks.get(cid);
  if (block === undefined) return answerMissing(exchange, false);
  const name = exchange.query.get('filename') ?? `${place.roots.at(-1)}.bin`;
  const etag = `"${place.roots.at(-1)}.raw"`;
  const headers = { ...immutableHeaders(place), 'content-disposition': contentDisposition('attachment', name) };
  if (matchesNone(headerOf(exchange, 'if-none-match'), etag)) return answerNothing(exchange, 304, { ...headers, etag });
  await answerContent(exchange, inMemory(block), { etag, headers, contentType: 'application/vnd.ipld.raw' });
}

async function answerEntity(
  exchange: Exchange,
  parts: GatewayParts,
  asked: Asked,
  { cid }: ResolvedPath,
  place: Place,
): Promise<void> {
  if (await isDirectory(parts.blocks, cid)) return answerFolder(exchange, parts, { cid, place, asked, answerFile });
  return answerFile(exchange, parts, cid, place);
}

/** Answers with the bytes of a file: a published one, or one whose single block is here. */
async function answerFile(exchange: Exchange, parts: GatewayParts, cid: CidParts, place: Place): Promise<void> {
  const etag = `"${blockName(cid)}"`;
  const facts = contentFacts(exchange, place);
  const content = await openFile(parts, cid);
  if (content === undefined) return answerMissing(exchange, false);
  try {
    if (matchesNone(headerOf(exchange, 'if-none-match'), etag))
      return answerNothing(exchange, 304, { ...facts.headers, etag });
    await answerContent(exchange, content, { etag, ...facts });
  } finally {
    await content.close?.();
  }
}

type Closable = Readable & { close?(): Promise<void> };

async function openFile({ contents, blocks, reader }: GatewayParts, cid: CidParts): Promise<Closable | undefined> {
  const sha256 = cid.hashCode === IDENTITY ? undefined : await contents.ofCid(blockName(cid));
  if (sha256 !== undefined) {
    const content = reader.mayReadContent(sha256) ? await contents.open(sha256) : undefined;
    if (content !== undefined) return content;
  }
  const block = sha256 === undefined ? await blocks.get(cid) : undefined;
  const bytes = block && bytesOfBlock(cid, block);
  return bytes && inMemory(bytes);
}

/** The bytes of a file of one block; of a symbolic link its target. @returns undefined where the block has links */
function bytesOfBlock(cid: CidParts, block: Uint8Array): Uint8Array | undefined {
  if (cid.codec !== CODEC.dagPb) return block;
  try {
    const { type, data, links } = decodeUnixfsNode(block);
    const hasBytes = type === UNIXFS_TYPE.file || type === UNIXFS_TYPE.raw || type === UNIXFS_TYPE.symlink;
    return hasBytes && links.length === 0 ? data : undefined;
  } catch (error) {
    if (error instanceof VerifyError) return undefined;
    throw error;
  }
}

const inMemory = (bytes: Uint8Array): Readable => ({
  sizeBytes: bytes.length,
  proofOf: () => undefined,
  read: async (buffer, position) => {
    const part = bytes.subarray(position, position + buffer.length);
    buffer.set(part);
    return part.length;
  },
});

function contentFacts(exchange: Exchange, place: Place) {
  return {
    contentType: contentTypeOf(exchange.query.get('filename') ?? place.ipfsPath),
    headers: {
      ...immutableHeaders(place),
      ...downloadHeaders(exchange, place),
      // A page of somewhere must not act in the name of this server.
      'content-security-policy': 'sandbox',
    },
  };
}

function downloadHeaders(exchange: Exchange, { ipfsPath }: Place): Headers {
  const given = exchange.query.get('filename');
  const last = ipfsPath.split('/').slice(3).at(-1);
  const name = given ?? (last === undefined ? undefined : decodeURIComponent(last));
  if (name === undefined) return {};
  const kind = exchange.query.get('download') === 'true' ? 'attachment' : 'inline';
  return { 'content-disposition': contentDisposition(kind, name) };
}
