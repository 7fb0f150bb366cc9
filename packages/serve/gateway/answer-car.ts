import { createHash } from 'node:crypto';
import { sameVersionBytes, type CidParts } from '#content/cid/cid-bytes';
import { carHead, carSectionHead } from '#content/dag/car';
import { tryParseCid } from '#content/cid/cid';
import { IDENTITY } from '#content/digest/multihash';
import type { SeenBlocks } from '../blocks/held-blocks.ts';
import { hexOf } from '../blocks/leaf-shelf.ts';
import { matchesNone } from '../http/entity-tags.ts';
import { answerNothing, headerOf, isHead, type Exchange } from '../http/exchange.ts';
import { write } from '../http/send-content.ts';
import type { CarWish } from './asked.ts';
import { dagBlocks, type DagBlock } from './dag-blocks.ts';
import { immutableHeaders, type Place } from './gateway-headers.ts';

export interface CarAnswer {
  readonly place: Place;
  /** What the path leads to, and its block. */
  readonly end: CidParts;
  readonly endBlock: Uint8Array;
  readonly pathBlocks: ReadonlyMap<string, Uint8Array>;
  readonly wish: CarWish;
}

/**
 * Streams a CARv1: the blocks of the path, then the DAG below its end, depth first. Every block is verified before it is sent; a
 * missing one breaks the connection, so that a short CAR is never taken for a whole one.
 */
export async function answerCar(exchange: Exchange, blocks: SeenBlocks, answer: CarAnswer): Promise<void> {
  const { place, end, endBlock, wish } = answer;
  const etag = carEtag(place, wish);
  const headers = {
    ...immutableHeaders(place),
    etag,
    'accept-ranges': 'none',
    'content-type': `application/vnd.ipld.car; version=1; order=dfs; dups=${wish.dups ? 'y' : 'n'}`,
    'content-disposition': `attachment; filename="${nameOf(exchange, place)}"`,
  };
  if (matchesNone(headerOf(exchange, 'if-none-match'), etag)) return answerNothing(exchange, 304, headers);
  const { response } = exchange;
  response.writeHead(200, headers);
  if (!isHead(exchange)) {
    await write(response, carHead(sameVersionBytes(end)));
    const sent = new Set<string>();
    const send = (block: DagBlock): Promise<void> => sendBlock(exchange, block, wish.dups ? undefined : sent);
    for (const [name, bytes] of answer.pathBlocks) await send({ cid: partsOf(name), bytes });
    for await (const block of dagBlocks(blocks, end, endBlock, wish)) await send(block);
  }
  response.end();
}

/** @param sent digests that are not sent again; undefined where repeated blocks are wanted */
async function sendBlock(exchange: Exchange, { cid, bytes }: DagBlock, sent: Set<string> | undefined): Promise<void> {
  if (cid.hashCode === IDENTITY) return;
  const key = hexOf(cid.digest);
  if (sent?.has(key)) return;
  sent?.add(key);
  await exchange.pace?.(bytes.length);
  await write(exchange.response, carSectionHead(sameVersionBytes(cid), bytes.length));
  await write(exchange.response, bytes);
}

const partsOf = (name: string): CidParts => tryParseCid(name)!;

/** Weak, because other implementations send the same blocks in other ways; differs by all that changes the bytes. */
function carEtag({ roots, ipfsPath }: Place, { scope, entityBytes, dups }: CarWish): string {
  const wish = [ipfsPath, scope, entityBytes?.from ?? '', entityBytes?.to ?? '*', dups].join('\n');
  return `W/"${roots.at(-1)}.car.${createHash('sha256').update(wish).digest('hex').slice(0, 16)}"`;
}

function nameOf(exchange: Exchange, { roots }: Place): string {
  const given = exchange.query.get('filename');
  return given !== null && /^[\w. -]{1,200}$/.test(given) ? given : `${roots.at(-1)}.car`;
}
