import { limitsOf, tableOf, withBlocks, type LeafTableOptions } from './build-leaf-table.ts';
import { CODEC, type CidParts } from '../cid/cid-bytes.ts';
import { invalid, readFileNode, refuseTooMany, type FileNode } from '../dag/dag-walk.ts';
import { LeafColumns } from './leaf-columns.ts';
import { FRAMING, type LeafTable } from './leaf-table.ts';
import { blockName, type FetchBlock } from '../dag/verified-blocks.ts';

/** What really stands where a table has a guessed leaf. */
export interface LeafRepair {
  /** Index in the table that guessed. */
  readonly leaf: number;
  /** The leaves that stand there: those below an inner node, or the one whose frame is known now. */
  readonly part: LeafTable;
  /** Inner blocks that were found: add them to those of the table. */
  readonly innerBlocks: ReadonlyMap<string, Uint8Array>;
}

/**
 * Finds out what a wrong guess about a dag-pb leaf is: the block is really an inner node, or a leaf framed in an unusual way
 * (mode, mtime), whose frame is then remembered.
 *
 * @param block the block of that leaf, fetched raw; verified here, and fetched again when it is not the block
 * @throws RangeError for a raw or known leaf, which needs no guess; else like `buildLeafTable`
 */
export async function repairOf(
  table: LeafTable,
  leaf: number,
  block: Uint8Array,
  fetchBlock: FetchBlock,
  options: LeafTableOptions = {},
): Promise<LeafRepair> {
  const cid = guessedLeaf(table, leaf);
  const name = blockName(cid);
  const cache = new Map([...(options.innerBlocks ?? []), [name, block] as const]);
  return withBlocks(fetchBlock, { ...options, innerBlocks: cache }, async (blocks, limits) => {
    const verified = await blocks.get(cid, name);
    const node = readFileNode(name, verified, limits);
    refuseOtherLength(table, leaf, node);
    const own = node.inner.size === 0 && node.pieces.count === 1 ? node.pieces.known.get(0) : undefined;
    if (own !== undefined) return { leaf, part: framed(cid, verified, own), innerBlocks: new Map() };
    return { leaf, part: await tableOf(cid, blocks, limits, options), innerBlocks: blocks.blocks };
  });
}

/**
 * Makes the next generation of a table, in one pass however many guesses were wrong; the old one stays as it is.
 *
 * @param repairs ascending by leaf, each leaf once
 * @throws VerifyError `unsupported` when it has too many leaves, or leaves of different hashes
 */
export function withRepairs(
  table: LeafTable,
  repairs: readonly LeafRepair[],
  options: Pick<LeafTableOptions, 'maxLeaves'> = {},
): LeafTable {
  const columns = new LeafColumns();
  let from = 0;
  for (const { leaf, part } of repairs) {
    columns.appendTable(table, from, leaf);
    columns.appendTable(part, 0, part.count);
    from = leaf + 1;
  }
  columns.appendTable(table, from, table.count);
  refuseTooMany({ leaves: columns.count, known: columns.known.size }, limitsOf(options));
  return columns.toTable(table.rootCid);
}

function guessedLeaf(table: LeafTable, index: number): CidParts {
  if (index < 0 || index >= table.count) throw new RangeError(`leaf ${index} of ${table.count}`);
  if (table.framing[index] === FRAMING.raw) throw new RangeError(`leaf ${index} is raw: its block is its bytes`);
  const digest = table.digests.subarray(index * table.digestBytes, (index + 1) * table.digestBytes);
  return { version: 1, codec: CODEC.dagPb, hashCode: table.hashCode, digest };
}

function refuseOtherLength(table: LeafTable, index: number, node: FileNode): void {
  const listed = table.starts[index + 1]! - table.starts[index]!;
  if (node.pieces.sizeBytes !== listed)
    throw invalid(table.rootCid, `a node of ${node.pieces.sizeBytes} bytes is listed as ${listed}`);
}

/** @param own the leaf's bytes, a view into `block` */
function framed(cid: CidParts, block: Uint8Array, own: Uint8Array): LeafTable {
  const at = own.byteOffset - block.byteOffset;
  const columns = new LeafColumns();
  columns.pushLeaf(own.length, FRAMING.pbOther, cid.hashCode, cid.digest);
  columns.frames.set(0, { pre: block.slice(0, at), post: block.slice(at + own.length) });
  return columns.toTable(blockName(cid));
}
