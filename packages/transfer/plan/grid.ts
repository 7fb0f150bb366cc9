import { createHash } from 'node:crypto';
import { pieceBytesFor } from '#core/bytes/span-plan';
import { verifyLeaf } from '#content/leaf/leaf-block';
import type { LeafTable } from '#content/leaf/leaf-table';

/**
 * How a file is cut into the smallest units a transfer commits: the leaves of a DAG, each proven by its
 * digest, or fixed pieces that only the whole digest proves.
 */
export interface Grid {
  readonly sizeBytes: number;
  readonly count: number;
  /** The leaf table behind the grid; undefined for fixed pieces. */
  readonly table: LeafTable | undefined;
  /** Length of the longest unit. */
  readonly maxUnitBytes: number;
  /** Identifies the grid: a journal of another grid cannot be used. 32 bytes. */
  readonly hash: Uint8Array;
  start(index: number): number;
  end(index: number): number;
  /** Whether the bytes match the digest of the unit; always true for fixed pieces. */
  accepts(index: number, bytes: Uint8Array): boolean;
}

export function leafGrid(table: LeafTable): Grid {
  const { starts, count } = table;
  let maxUnitBytes = 0;
  for (let i = 0; i < count; i += 1) maxUnitBytes = Math.max(maxUnitBytes, starts[i + 1]! - starts[i]!);
  return {
    sizeBytes: table.sizeBytes,
    count,
    table,
    maxUnitBytes,
    hash: hashOfTable(table),
    start: (index) => starts[index]!,
    end: (index) => starts[index + 1]!,
    accepts: (index, bytes) => verifyLeaf(table, index, bytes),
  };
}

export function pieceGrid(sizeBytes: number, pieceBytes = pieceBytesFor(sizeBytes)): Grid {
  return {
    sizeBytes,
    count: Math.ceil(sizeBytes / pieceBytes),
    table: undefined,
    maxUnitBytes: pieceBytes,
    hash: createHash('sha256').update(`pieces ${pieceBytes} of ${sizeBytes}`).digest(),
    start: (index) => index * pieceBytes,
    end: (index) => Math.min(sizeBytes, (index + 1) * pieceBytes),
    accepts: () => true,
  };
}

function hashOfTable(table: LeafTable): Uint8Array {
  const bytesOf = (array: Float64Array) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  return createHash('sha256')
    .update(`${table.rootCid} ${table.hashCode} ${table.count}`)
    .update(bytesOf(table.starts))
    .update(table.digests)
    .digest();
}
