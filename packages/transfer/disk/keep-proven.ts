import { dirname } from 'node:path';
import { StorageError } from '#core/failure';
import type { LaidFile } from './laid-file.ts';
import { discardPartial } from './partial.ts';
import type { RunParts } from '../run/run-parts.ts';
import type { SpanBoard } from '../plan/span-board.ts';

/**
 * Closes the partial of a failed transfer so that the same call can continue later: proven bytes stay with their journal, an empty partial
 * is removed.
 *
 * @param error why the transfer ends
 * @returns the error to throw
 */
export async function keepProven(parts: RunParts, laid: LaidFile | undefined, error: unknown): Promise<unknown> {
  const { partial, operations, logger } = parts;
  try {
    await laid?.end();
    const isWorthKeeping = laid !== undefined && laid.board.doneBytes > 0;
    if (isWorthKeeping) await checkpoint(parts, laid);
    await partial.close();
    const wasEmpty = laid !== undefined || partial.foundBytes === 0;
    if (wasEmpty && !isWorthKeeping) await discardPartial(partial.path, operations);
  } catch (err) {
    logger.warn({ path: partial.path, err }, 'partial not committed');
    // The first error is logged above; this only closes the descriptor.
    await partial.close().catch(() => undefined);
  }
  return withMissingBytes(parts, laid, error);
}

/**
 * A completely full disk has no room for the journal: the last unit is dropped for it, and the rest is kept. Leaves need no journal, because
 * the table proves them.
 */
async function checkpoint({ partial }: RunParts, { board }: LaidFile): Promise<void> {
  try {
    await partial.checkpoint(true);
  } catch (error) {
    const last = board.grid.table === undefined ? lastDone(board) : undefined;
    if (last === undefined || !(error instanceof StorageError && error.kind === 'disk-full')) throw error;
    board.drop(last);
    await partial.setSize(board.grid.start(last));
    await partial.checkpoint(true);
  }
}

function lastDone({ grid, isDone }: SpanBoard): number | undefined {
  for (let unit = grid.count - 1; unit >= 0; unit -= 1) if (isDone(unit)) return unit;
  return undefined;
}

/** Adds to a disk-full error how much space must be freed before another attempt. */
async function withMissingBytes(parts: RunParts, laid: LaidFile | undefined, error: unknown): Promise<unknown> {
  if (!(error instanceof StorageError) || error.kind !== 'disk-full' || error.missingBytes !== undefined) return error;
  if (laid === undefined) return error;
  const { grid, doneBytes } = laid.board;
  // Without an answer of the file system, assume that no space is free.
  const free = await parts.operations.freeBytes(dirname(parts.partial.path)).catch(() => 0);
  const missingBytes = Math.max(1, grid.sizeBytes - doneBytes - free);
  return new StorageError('disk-full', error.path, error.message, { cause: error, missingBytes });
}
