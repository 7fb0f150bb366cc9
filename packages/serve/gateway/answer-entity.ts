import { CODEC, type CidParts } from '#content/cid/cid-bytes';
import { decodeUnixfsNode, UNIXFS_TYPE } from '#content/dag/unixfs-node';
import { blockName } from '#content/dag/verified-blocks';
import { IDENTITY } from '#content/digest/multihash';
import { VerifyError } from '#core/failure';
import { answerContent } from '../http/answer-content.ts';
import { contentDisposition } from '../http/content-disposition.ts';
import { contentTypeOf } from '../http/content-type.ts';
import { matchesNone } from '../http/entity-tags.ts';
import { answerNothing, answerText, headerOf, SOON, type Exchange, type Headers } from '../http/exchange.ts';
import { withoutBytes, type Readable } from '../http/send-content.ts';
import type { DescribedFile, PulledFile } from '../pull/pull-cids.ts';
import type { GatewayParts } from './gateway.ts';
import { immutableHeaders, type Place } from './gateway-headers.ts';

/** A file as one answer shows it. */
export interface ShownFile {
  readonly place: Place;
  /** CID of the file; of a page that stands for a folder that of the folder. */
  readonly cid: string;
  /** Tells the type of the content; undefined: the path does. */
  readonly name?: string | undefined;
}

/**
 * Answers with the bytes of a file: a published one, or one whose single block is here.
 *
 * @returns false, and answers nothing, when the bytes are not here
 */
export async function answerShownFile(
  exchange: Exchange,
  parts: GatewayParts,
  cid: CidParts,
  shown: ShownFile,
): Promise<boolean> {
  const content = await openFile(parts, cid);
  if (content === undefined) return false;
  try {
    await answerShown(exchange, content, shown);
  } finally {
    await content.close?.();
  }
  return true;
}

/** Answers with the bytes of a file as they arrive; a HEAD by what its nodes say. */
export async function answerPulled(
  exchange: Exchange,
  pulled: PulledFile | DescribedFile,
  shown: ShownFile,
): Promise<void> {
  if (answeredAsKnown(exchange, shown)) return;
  if (pulled.is === 'described')
    return answerContent(exchange, withoutBytes(pulled.sizeBytes), factsOf(exchange, shown));
  const { file } = pulled;
  if ((await file.answerable(exchange.startedAt)) === 'failed')
    return answerText(exchange, 504, 'it cannot be fetched now', SOON);
  const content = file.reader();
  try {
    await answerShown(exchange, content, shown);
  } finally {
    await content.close();
  }
}

async function answerShown(exchange: Exchange, content: Readable, shown: ShownFile): Promise<void> {
  if (!answeredAsKnown(exchange, shown)) await answerContent(exchange, content, factsOf(exchange, shown));
}

/** Tells a client that has the file so. */
function answeredAsKnown(exchange: Exchange, shown: ShownFile): boolean {
  const { etag, headers } = factsOf(exchange, shown);
  if (!matchesNone(headerOf(exchange, 'if-none-match'), etag)) return false;
  answerNothing(exchange, 304, { ...headers, etag });
  return true;
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

/** A block as content. */
export const inMemory = (bytes: Uint8Array): Readable => ({
  sizeBytes: bytes.length,
  proofOf: () => undefined,
  read: async (buffer, position) => {
    const part = bytes.subarray(position, position + buffer.length);
    buffer.set(part);
    return part.length;
  },
});

function factsOf(exchange: Exchange, { place, cid, name }: ShownFile) {
  return {
    etag: `"${cid}"`,
    contentType: contentTypeOf(exchange.query.get('filename') ?? name ?? place.ipfsPath),
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
  const name = given ?? (last && decodeURIComponent(last));
  if (!name) return {};
  const kind = exchange.query.get('download') === 'true' ? 'attachment' : 'inline';
  return { 'content-disposition': contentDisposition(kind, name) };
}
