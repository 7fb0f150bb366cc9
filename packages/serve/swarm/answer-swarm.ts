import { tryParseCid } from '#content/cid/cid';
import { blockName } from '#content/dag/verified-blocks';
import { PieceMap } from '#core/swarm/piece-map';
import { lengthOf, type ByteRange } from '#core/bytes/byte-range';
import { KIB, SECOND_MS } from '#core/units';
import type { Contents } from '../blocks/contents.ts';
import type { Reader, SeenBlocks } from '../blocks/held-blocks.ts';
import { askedRanges, contentRange } from '../http/byte-ranges.ts';
import { answerNothing, answerText, headerOf, isHead, type Exchange, type Headers } from '../http/exchange.ts';
import { ClientGone, sendRange, write } from '../http/send-content.ts';
import {
  heldEnd,
  mapOf,
  verifiedLeaves,
  type GrowingFiles,
  type OfferedLeaves,
  type OpenPart,
} from './growing-files.ts';
import { tellPieces } from './tell-pieces.ts';
import type { UploadSlots } from './upload-slots.ts';
import type { UploadReader } from './upload.ts';

export interface SwarmParts {
  /** Names this server to other hosts: two addresses with one name are one host. */
  readonly peerId: string;
  readonly growing: GrowingFiles;
  readonly slots: UploadSlots;
}

export interface SwarmQuestion extends SwarmParts {
  readonly contents: Contents;
  readonly blocks: SeenBlocks;
  readonly reader: Reader;
}

/** What this host has of one file. */
interface Held {
  readonly cid: string;
  readonly sizeBytes: number;
  readonly map: PieceMap;
  /** Undefined for a published file. */
  readonly growing: OfferedLeaves | undefined;
  readonly sha256: string | undefined;
}

/** A host that takes nothing for so long is left, also while no other host waits. */
const IDLE_MS = 20 * SECOND_MS;
const RETRY_S = 1;
/** Bytes of one write: a client with a low rate gets some of a leaf before it takes the connection for dead. */
const BLOCK_BYTES = 64 * KIB;

/**
 * Answers other hosts that fetch the same file: `/swarm/CID` with one range, `/swarm/CID/have`, and the nodes of its DAG. Also of a file that is still being
 * fetched; of that only verified leaves. Each answer says in `Swarm-Have` which pieces are here.
 *
 * @throws what reading, proof or the client reject with; nothing more can be sent then
 */
export async function answerSwarm(exchange: Exchange, question: SwarmQuestion): Promise<void> {
  const { method } = exchange.request;
  if (method !== 'GET' && method !== 'HEAD')
    return answerText(exchange, 405, `${method} is not served: GET and HEAD are`, { allow: 'GET, HEAD' });
  const [, text, rest, node] = /^\/swarm\/([^/]+)(\/have|\/block\/([^/]+))?$/.exec(exchange.path) ?? [];
  const cid = text === undefined ? undefined : tryParseCid(text);
  if (cid === undefined) return answerText(exchange, 400, 'write /swarm/CID, /swarm/CID/have or /swarm/CID/block/CID');
  if (node !== undefined) return answerBlock(exchange, blockName(cid), node, question);
  const held = await heldOf(blockName(cid), question);
  if (held === undefined) return answerText(exchange, 404, 'it is not here', { 'swarm-peer': question.peerId });
  const headers = {
    ...{ 'swarm-have': held.map.toString(), 'swarm-size': held.sizeBytes, 'swarm-peer': question.peerId },
    ...{ 'cache-control': 'no-store', 'accept-ranges': 'bytes', 'swarm-load': question.slots.load },
  };
  if (rest !== undefined) return answerHave(exchange, held, headers, question);
  const etag = `"${held.cid}"`;
  const range = rangeOf(exchange, held);
  if (range === undefined)
    return answerNothing(exchange, 416, {
      ...headers,
      'content-range': `bytes */${held.sizeBytes}`,
      'content-length': 0,
    });
  await answerInTurn(exchange, question, held, { range, headers: { ...headers, etag } });
}

/** The pieces of now; to a host that asks for it, also those that arrive from now on. */
function answerHave(exchange: Exchange, held: Held, headers: Headers, question: SwarmQuestion): void {
  const { growing: file, cid } = held;
  const { growing, slots, reader } = question;
  const everyMs = Number(headerOf(exchange, 'swarm-follow'));
  if (file === undefined || !(everyMs > 0) || isHead(exchange)) return answerNothing(exchange, 204, headers);
  tellPieces(exchange, { file, slots, everyMs, headers, isOffered: () => growing.get(cid, reader) === file });
}

/** A node of the DAG of one file: a host that may fetch the file needs its leaf table first. */
async function answerBlock(exchange: Exchange, root: string, node: string, { blocks }: SwarmQuestion): Promise<void> {
  const cid = tryParseCid(node);
  if (cid === undefined) return answerText(exchange, 400, `"${node}" is no CID`);
  const block = await blocks.get(cid, root);
  if (block === undefined) return answerText(exchange, 404, 'it is not here');
  const headers = { 'content-type': 'application/vnd.ipld.raw', 'content-length': block.length };
  exchange.response.writeHead(200, { ...headers, 'cache-control': 'no-store' });
  exchange.response.end(isHead(exchange) ? undefined : block);
}

async function heldOf(cid: string, { growing, contents, reader }: SwarmQuestion): Promise<Held | undefined> {
  const file = growing.get(cid, reader);
  if (file !== undefined)
    return { cid, sizeBytes: file.table.sizeBytes, map: mapOf(file), growing: file, sha256: undefined };
  const sha256 = await contents.ofCid(cid);
  if (sha256 === undefined || !reader.mayReadContent(sha256)) return undefined;
  const sizeBytes = (await contents.look(sha256))?.sizeBytes;
  if (sizeBytes === undefined) return undefined;
  return { cid, sizeBytes, map: PieceMap.parse('all', sizeBytes)!, growing: undefined, sha256 };
}

/** The part of the wanted range that is here from its beginning on; undefined where its first leaf is not. */
function rangeOf(exchange: Exchange, { sizeBytes, growing }: Held): ByteRange | undefined {
  const asked = askedRanges(headerOf(exchange, 'range'), sizeBytes);
  if (asked.is === 'unsatisfiable' || sizeBytes === 0) return undefined;
  const range = asked.is === 'whole' ? { start: 0, end: sizeBytes } : asked.ranges[0]!;
  if (asked.is === 'ranges' && asked.ranges.length > 1) return undefined;
  const end = growing === undefined ? range.end : heldEnd(growing, range.start, range.end);
  return end > range.start ? { start: range.start, end } : undefined;
}

interface RangeAnswer {
  readonly range: ByteRange;
  readonly headers: Headers;
}

async function answerInTurn(
  exchange: Exchange,
  question: SwarmQuestion,
  held: Held,
  answer: RangeAnswer,
): Promise<void> {
  const { response } = exchange;
  const gone = new AbortController();
  // The request itself closes as soon as it is read; only the response tells when the client leaves.
  response.once('close', () => gone.abort(new ClientGone('the client closed the connection')));
  const free = await question.slots.take(readerOf(exchange), gone.signal);
  if (free === undefined)
    return answerText(exchange, 503, 'all slots are taken', { ...answer.headers, 'retry-after': RETRY_S });
  try {
    // The file may have been published meanwhile.
    await sendHeld(exchange, question, (await heldOf(held.cid, question)) ?? held, answer);
  } finally {
    free();
  }
}

const readerOf = ({ request: { socket }, response }: Exchange): UploadReader => ({
  takenBytes: () => socket.bytesWritten - socket.writableLength,
  isAwaited: () => socket.writableLength > 0,
  breakOff: () => response.destroy(),
});

async function sendHeld(
  exchange: Exchange,
  { contents }: SwarmQuestion,
  held: Held,
  { range, headers }: RangeAnswer,
): Promise<void> {
  const { response } = exchange;
  const opened = await openHeld(exchange, contents, held, range);
  if (opened === undefined) return answerText(exchange, 404, 'it is not here any more');
  const guard = watchIdle(exchange);
  try {
    response.writeHead(206, {
      ...headers,
      'content-type': 'application/octet-stream',
      'content-range': contentRange(range, held.sizeBytes),
      'content-length': lengthOf(range),
    });
    if (!isHead(exchange)) await opened.send();
    response.end();
  } finally {
    clearInterval(guard);
    await opened.close();
  }
}

interface OpenHeld {
  send(): Promise<void>;
  close(): Promise<void>;
}

async function openHeld(
  exchange: Exchange,
  contents: Contents,
  { growing, sha256 }: Held,
  range: ByteRange,
): Promise<OpenHeld | undefined> {
  const { response, pace } = exchange;
  if (growing !== undefined) {
    const part = await growing.open();
    return part && { send: () => sendLeaves(exchange, part, growing, range), close: () => part.close() };
  }
  const content = sha256 === undefined ? undefined : await contents.open(sha256);
  return content && { send: () => sendRange(response, content, range, { pace }), close: () => content.close() };
}

async function sendLeaves(
  { response, pace }: Exchange,
  part: OpenPart,
  file: OfferedLeaves,
  range: ByteRange,
): Promise<void> {
  for await (const leaf of verifiedLeaves(part, file, range))
    for (let at = 0; at < leaf.length; at += BLOCK_BYTES) {
      const bytes = leaf.subarray(at, at + BLOCK_BYTES);
      await pace?.(bytes.length);
      await write(response, bytes);
    }
}

/** Breaks a connection on which nothing moves: its client is gone without a word. */
function watchIdle({ request: { socket }, response }: Exchange): NodeJS.Timeout {
  let last = socket.bytesWritten;
  return setInterval(() => {
    if (socket.bytesWritten === last && socket.writableLength > 0) response.destroy();
    last = socket.bytesWritten;
  }, IDLE_MS);
}
