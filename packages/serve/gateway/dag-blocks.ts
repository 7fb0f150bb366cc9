import { CODEC, decodeCid, type CidParts } from '#content/cid/cid-bytes';
import { decodeUnixfsNode, UNIXFS_TYPE, type UnixfsNode } from '#content/dag/unixfs-node';
import { blockName } from '#content/dag/verified-blocks';
import { IDENTITY } from '#content/digest/multihash';
import { VerifyError } from '#core/failure';
import type { SeenBlocks } from '../blocks/held-blocks.ts';
import type { CarWish, DagScope, EntityBytes } from './asked.ts';

export interface DagBlock {
  readonly cid: CidParts;
  readonly bytes: Uint8Array;
}

/** A block of the DAG is not in the store: the stream ends broken. */
export class MissingBlock extends Error {
  override readonly name = 'MissingBlock';
}

/** Bytes of a file, half-open; undefined for all. */
interface Window {
  readonly start: number;
  readonly end: number;
}

interface Walk {
  readonly blocks: SeenBlocks;
  readonly scope: DagScope;
  /** Nodes below which everything was sent already; undefined where repeated blocks are wanted. */
  readonly passed: Set<string> | undefined;
}

/**
 * The blocks of a DAG, depth first: parents before children, children in their order. Identity CIDs have no block. Without `dups` a node
 * that stands in the DAG several times is followed once: its number of paths may grow with the power of its depth.
 *
 * @param root whose block is `rootBlock`
 * @throws MissingBlock
 * @see the trustless gateway specification, `dag-scope` and `entity-bytes`
 */
export async function* dagBlocks(
  blocks: SeenBlocks,
  root: CidParts,
  rootBlock: Uint8Array,
  { scope, entityBytes, dups }: CarWish,
): AsyncGenerator<DagBlock> {
  if (root.hashCode !== IDENTITY) yield { cid: root, bytes: rootBlock };
  const node = scope === 'block' ? undefined : nodeOf(root, rootBlock);
  if (node === undefined) return;
  const size = sizeOf(node);
  const window = entityBytes && isFile(node) ? windowOf(entityBytes, size) : { start: 0, end: size };
  if (window !== undefined) yield* below({ blocks, scope, passed: dups ? undefined : new Set() }, node, window);
}

async function* below(walk: Walk, node: UnixfsNode, window: Window): AsyncGenerator<DagBlock> {
  let start = node.data.length;
  for (const [index, link] of node.links.entries()) {
    const end = start + (node.blocksizes[index] ?? 0);
    const isWanted = isFile(node)
      ? end > window.start && start < window.end
      : walk.scope === 'all' || (node.type === UNIXFS_TYPE.hamt && isSubShard(node, link.name));
    if (isWanted) yield* child(walk, decodeCid(link.hash), { start: window.start - start, end: window.end - start });
    start = end;
  }
}

async function* child(walk: Walk, cid: CidParts, window: Window): AsyncGenerator<DagBlock> {
  const bytes = await walk.blocks.get(cid);
  if (bytes === undefined) throw new MissingBlock(`${blockName(cid)} is not here`);
  if (cid.hashCode !== IDENTITY) yield { cid, bytes };
  const node = nodeOf(cid, bytes);
  if (node === undefined) return;
  const whole = { start: 0, end: sizeOf(node) };
  const part = isFile(node) && window.end > 0 ? window : whole;
  const isWhole = part.start <= 0 && part.end >= whole.end;
  if (isWhole && walk.passed?.has(blockName(cid)) === true) return;
  yield* below(walk, node, part);
  if (isWhole) walk.passed?.add(blockName(cid));
}

function nodeOf(cid: CidParts, block: Uint8Array): UnixfsNode | undefined {
  if (cid.codec !== CODEC.dagPb) return undefined;
  try {
    return decodeUnixfsNode(block);
  } catch (error) {
    if (error instanceof VerifyError) return undefined;
    throw error;
  }
}

const isFile = ({ type }: UnixfsNode): boolean => type === UNIXFS_TYPE.file || type === UNIXFS_TYPE.raw;

const sizeOf = (node: UnixfsNode): number => node.blocksizes.reduce((sum, bytes) => sum + bytes, node.data.length);

/** A link of a HAMT whose name is the place alone leads to a further shard. */
const isSubShard = ({ fanout }: UnixfsNode, name: Uint8Array): boolean =>
  name.length === ((fanout ?? 256) - 1).toString(16).length;

/** @returns undefined where nothing of the file is in the window: then the root alone is sent, as for `dag-scope=block` */
function windowOf({ from, to }: EntityBytes, size: number): Window | undefined {
  const start = from < 0 ? Math.max(0, size + from) : from;
  const last = to === undefined ? size - 1 : to < 0 ? size + to : to;
  const end = Math.min(size, last + 1);
  return start >= size || end <= start ? undefined : { start, end };
}
