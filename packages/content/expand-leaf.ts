import { tableOf, withBlocks, type LeafTableOptions } from './build-leaf-table.ts';
import { CODEC, type CidParts } from './cid-bytes.ts';
import { invalid, readFileNode, refuseTooMany, type FileNode } from './dag-walk.ts';
import { LeafColumns } from './leaf-columns.ts';
import { FRAMING, type LeafTable } from './leaf-table.ts';
import { blockName, type FetchBlock } from './verified-blocks.ts';

export interface ExpandedLeaf {
  /** The next generation of the table; the old one stays as it is. */
  readonly table: LeafTable;
  /** How many leaves of the new table stand where the one stood; those before keep their index. */
  readonly replacedBy: number;
  /** Inner blocks that were found: add them to those of the table. */
  readonly innerBlocks: ReadonlyMap<string, Uint8Array>;
}

/**
 * Repairs a wrong guess about a dag-pb leaf: the block is really an inner node, or a leaf framed in an unusual way
 * (mode, mtime), whose frame is then remembered.
 *
 * @param block the block of that leaf, fetched raw; verified here, and fetched anew when it is not the block
 * @throws RangeError for a raw or known leaf, which needs no guess; else like `buildLeafTable`
 */
export async function expandLeaf(
  table: LeafTable,
  index: number,
  block: Uint8Array,
  fetchBlock: FetchBlock,
  options: LeafTableOptions = {},
): Promise<ExpandedLeaf> {
  const leaf = guessedLeaf(table, index);
  const name = blockName(leaf);
  const cache = new Map([...(options.innerBlocks ?? []), [name, block] as const]);
  return withBlocks(fetchBlock, { ...options, innerBlocks: cache }, async (blocks, limits) => {
    const verified = await blocks.get(leaf, name);
    const node = readFileNode(name, verified, limits);
    refuseOtherLength(table, index, node);
    const own = node.inner.size === 0 && node.pieces.count === 1 ? node.pieces.known.get(0) : undefined;
    if (own !== undefined) return { table: framed(table, index, verified, own), replacedBy: 1, innerBlocks: new Map() };
    const part = await tableOf(leaf, blocks, limits, options);
    const columns = new LeafColumns();
    columns.appendTable(table, 0, index);
    columns.appendTable(part, 0, part.count);
    columns.appendTable(table, index + 1, table.count);
    refuseTooMany({ leaves: columns.count, known: columns.known.size }, limits);
    return { table: columns.toTable(table.rootCid), replacedBy: part.count, innerBlocks: blocks.blocks };
  });
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
function framed(table: LeafTable, index: number, block: Uint8Array, own: Uint8Array): LeafTable {
  const at = own.byteOffset - block.byteOffset;
  const frame = { pre: block.slice(0, at), post: block.slice(at + own.length) };
  const framing = table.framing.slice();
  framing[index] = FRAMING.pbOther;
  return { ...table, framing, frames: new Map([...(table.frames ?? []), [index, frame] as const]) };
}
