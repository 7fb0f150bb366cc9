import { CODEC, decodeCid, type CidParts } from '#content/cid/cid-bytes';
import { decodeUnixfsNode, UNIXFS_TYPE, type UnixfsNode } from '#content/dag/unixfs-node';
import { blockName } from '#content/dag/verified-blocks';
import { IDENTITY } from '#content/digest/multihash';
import { VerifyError } from '#core/failure';
import type { SeenBlocks } from '../blocks/held-blocks.ts';
import type { DagScope, EntityBytes } from './asked.ts';

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

/**
 * The blocks of a DAG, depth first: parents before children, children in their order. Identity CIDs have no block.
 *
 * @param root whose block is `rootBlock`
 * @throws MissingBlock
 * @see the trustless gateway specification, `dag-scope` and `entity-bytes`
 */
export async function* dagBlocks(
  blocks: SeenBlocks,
  root: CidParts,
  rootBlock: Uint8Array,
  { scope, entityBytes }: { readonly scope: DagScope; readonly entityBytes: EntityBytes | undefined },
): AsyncGenerator<DagBlock> {
  if (root.hashCode !== IDENTITY) yield { cid: root, bytes: rootBlock };
  const node = scope === 'block' ? undefined : nodeOf(root, rootBlock);
  if (node === undefined) return;
  const size = sizeOf(node);
  const window = entityBytes && isFile(node) ? windowOf(entityBytes, size) : { start: 0, end: size };
  if (window !== undefined) yield* below(blocks, node, window, scope);
}

async function* below(blocks: SeenBlocks, node: UnixfsNode, window: Window, scope: DagScope): AsyncGenerator<DagBlock> {
  let start = node.data.length;
  for (const [index, link] of node.links.entries()) {
    const end = start + (node.blocksizes[index] ?? 0);
    const isWanted = isFile(node)
      ? end > window.start && start < window.end
      : scope === 'all' || (node.type === UNIXFS_TYPE.hamt && isSubShard(node, link.name));
    if (isWanted)
      yield* child(blocks, decodeCid(link.hash), { start: window.start - start, end: window.end - start }, scope);
    start = end;
  }
}

async function* child(blocks: SeenBlocks, cid: CidParts, window: Window, scope: DagScope): AsyncGenerator<DagBlock> {
  const bytes = await blocks.get(cid);
  if (bytes === undefined) throw new MissingBlock(`${blockName(cid)} is not here`);
  if (cid.hashCode !== IDENTITY) yield { cid, bytes };
  const node = nodeOf(cid, bytes);
  if (node === undefined) return;
  yield* below(blocks, node, isFile(node) && window.end > 0 ? window : { start: 0, end: sizeOf(node) }, scope);
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
