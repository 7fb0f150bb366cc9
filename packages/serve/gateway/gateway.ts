import { tryParseCid, type ParsedCid } from '#content/cid/cid';
import type { CidParts } from '#content/cid/cid-bytes';
import type { DirectoryEntry } from '#content/dag/directory-node';
import { blockName } from '#content/dag/verified-blocks';
import { mapConcurrently } from '#core/async/map-concurrently';
import { SECOND_MS } from '#core/units';
import type { Contents } from '../blocks/contents.ts';
import type { Reader, SeenBlocks } from '../blocks/held-blocks.ts';
import { answerContent } from '../http/answer-content.ts';
import { contentDisposition } from '../http/content-disposition.ts';
import { matchesNone } from '../http/entity-tags.ts';
import { answerNothing, answerText, headerOf, isHead, type Exchange } from '../http/exchange.ts';
import type { DescribedFile, PullCids, PulledFile } from '../pull/pull-cids.ts';
import { answerCar } from './answer-car.ts';
import { answerPulled, answerShownFile, inMemory, type ShownFile } from './answer-entity.ts';
import { askedOf, type Asked } from './asked.ts';
import { immutableHeaders, type Place } from './gateway-headers.ts';
import { answerFolder, redirectToFolder, type ListedEntry } from './answer-folder.ts';
import { entriesHere, isDirectory, resolveHere, type ResolvedPath, type UnresolvedPath } from './resolve.ts';

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
  if (isPulled(found)) {
    const place = await placeOfPulled(exchange, seen, asked, found.cid);
    return answerPulled(exchange, found, { place, cid: found.cid });
  }
  if (!('cid' in found)) return answerMissing(exchange, found.is);
  const place = placeOf(exchange, found);
  if (asked.wanted.as === 'raw') return answerRaw(exchange, seen, found, place);
  if (asked.wanted.as === 'file') return answerEntity(exchange, seen, asked, found, place);
  const blocks = blocksBelow(exchange, seen, asked.root);
  const endBlock = await blocks.get(found.cid);
  if (endBlock === undefined) return answerMissing(exchange, 'not-here');
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
): Promise<ResolvedPath | UnresolvedPath | PulledFile | DescribedFile> {
  const { blocks } = parts;
  const found = await resolveHere(blocks, asked.root, asked.names);
  const isHere = 'cid' in found && (await blocks.get(found.cid)) !== undefined;
  if (isHere || isNoEntry(found)) return found;
  return (await pulled(exchange, parts, asked)) ?? resolveHere(blocks, asked.root, asked.names);
}

const isPulled = (found: object): found is PulledFile | DescribedFile =>
  'is' in found && (found.is === 'file' || found.is === 'described');

const isNoEntry = (found: ResolvedPath | UnresolvedPath): boolean => 'is' in found && found.is === 'no-entry';

/**
 * Begins to fetch what the path leads to, where that is allowed.
 *
 * @returns the file as it arrives, for a client that takes its bytes, and what is known of it for a HEAD; undefined for one that takes blocks, and when everything is here that
 *   can be had
 */
async function pulled(
  exchange: Exchange,
  { pull }: GatewayParts,
  { root, names, wanted }: Asked,
): Promise<PulledFile | DescribedFile | undefined> {
  if (pull?.allows(root) !== true || onlyIfCached(exchange)) return undefined;
  const entry = await pull.pull(root, names, isHead(exchange) && wanted.as === 'file' ? 'facts' : 'bytes');
  return wanted.as === 'file' && isPulled(entry) ? entry : undefined;
}

/** The way to a file that is being fetched, as far as its nodes are here. */
async function placeOfPulled(
  exchange: Exchange,
  { blocks }: GatewayParts,
  { root, names }: Asked,
  cid: string,
): Promise<Place> {
  const way = await resolveHere(blocks, root, names);
  return placeOf(exchange, { roots: 'cid' in way ? way.roots : [cid] });
}

const placeOf = (exchange: Exchange, { roots }: Pick<ResolvedPath, 'roots'>): Place => ({
  roots,
  ipfsPath: exchange.path.replace(/\/+$/, ''),
});

const onlyIfCached = (exchange: Exchange): boolean =>
  /(^|[\s,])only-if-cached\b/.test(headerOf(exchange, 'cache-control') ?? '');

const MISSING = {
  'no-entry': 'the directory has no such name',
  'not-here': 'it is not here',
  'not-whole': 'the folder is not whole here',
} as const;

/** A client that asks for what is here alone (`only-if-cached`) gets a status of its own. A name that the directory does not have is missing everywhere. */
function answerMissing(exchange: Exchange, what: keyof typeof MISSING): void {
  answerText(exchange, what !== 'no-entry' && onlyIfCached(exchange) ? 412 : 404, MISSING[what]);
}

async function answerRaw(exchange: Exchange, parts: GatewayParts, { cid }: ResolvedPath, place: Place): Promise<void> {
  const block = await parts.blocks.get(cid);
  if (block === undefined) return answerMissing(exchange, 'not-here');
  const name = exchange.query.get('filename') ?? `${place.roots.at(-1)}.bin`;
  const etag = `"${place.roots.at(-1)}.raw"`;
  const headers = { ...immutableHeaders(place), 'content-disposition': contentDisposition('attachment', name) };
  if (matchesNone(headerOf(exchange, 'if-none-match'), etag)) return answerNothing(exchange, 304, { ...headers, etag });
  await answerContent(exchange, inMemory(block), { etag, headers, contentType: 'application/vnd.ipld.raw' });
}

/** Nodes of a list that are looked at together. */
const NODES_AT_ONCE = 8;
/** For the nodes of a list that have to be fetched: clients give up after ten seconds. */
const LIST_MS = 5 * SECOND_MS;

/** Page that stands for the folder that has it. */
const INDEX_NAME = 'index.html';

/** Answers with what the path leads to, as browsers and curl want it. */
async function answerEntity(
  exchange: Exchange,
  parts: GatewayParts,
  asked: Asked,
  { cid }: ResolvedPath,
  place: Place,
): Promise<void> {
  const below = { ...parts, blocks: blocksBelow(exchange, parts, asked.root) };
  const shown = { place, cid: blockName(cid) };
  if (!(await isDirectory(below.blocks, cid))) return fileOrMissing(exchange, below, cid, shown);
  if (!asked.endsWithSlash) return redirectToFolder(exchange, place);
  const entries = await entriesHere(below.blocks, cid);
  if (entries === undefined) return answerMissing(exchange, 'not-whole');
  const folder = { ...place, ipfsPath: `${place.ipfsPath}/` };
  if (!entries.some(({ name }) => name === INDEX_NAME))
    return answerFolder(exchange, folder, await listed(exchange, parts, asked.root, entries));
  const index = { ...asked, names: [...asked.names, INDEX_NAME] };
  return answerIndex(exchange, parts, index, { ...shown, place: folder, name: INDEX_NAME });
}

/** Tells folders from files by their nodes; what is not known in time counts as a file, whose address leads on to the folder. */
function listed(
  exchange: Exchange,
  { blocks, pull }: GatewayParts,
  root: ParsedCid,
  entries: readonly DirectoryEntry[],
): Promise<ListedEntry[]> {
  const mayPull = pull?.allows(root) === true && !onlyIfCached(exchange);
  const signal = AbortSignal.timeout(LIST_MS);
  const nodes: SeenBlocks = {
    get: async (cid) => (await blocks.get(cid)) ?? (mayPull ? pull.nodeOf(cid, signal) : undefined),
  };
  return mapConcurrently(entries, NODES_AT_ONCE, async (entry) => ({
    ...entry,
    isFolder: await isDirectory(nodes, entry.cid),
  }));
}

/** Answers a folder with the page in it. */
async function answerIndex(exchange: Exchange, parts: GatewayParts, asked: Asked, shown: ShownFile): Promise<void> {
  const found = await findOrPull(exchange, parts, asked);
  if (isPulled(found)) return answerPulled(exchange, found, shown);
  if (!('cid' in found)) return answerMissing(exchange, found.is);
  return fileOrMissing(exchange, parts, found.cid, shown);
}

async function fileOrMissing(exchange: Exchange, parts: GatewayParts, cid: CidParts, shown: ShownFile): Promise<void> {
  if (!(await answerShownFile(exchange, parts, cid, shown))) answerMissing(exchange, 'not-here');
}
