import { dirname } from 'node:path';
import { StorageError } from '#core/failure';
import type { LaidFile } from './laid-file.ts';
import { discardPartial } from './partial.ts';
import type { RunParts } from '../run/run-parts.ts';
import type { SpanBoard } from '../plan/span-board.ts';

/**
 * Leaves the disk so that the same call can go on later: what is proven stays with its journal, and an empty partial goes.
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
    // The first failure is told above; this one only gives the descriptor back.
    await partial.close().catch(() => undefined);
  }
  return withMissingBytes(parts, laid, error);
}

/**
 * On a disk that is full to the last byte there is no room for the journal: the last unit gives its own, and the rest is kept.
 * Leaves prove themselves without a journal.
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

/** A disk that was full says how much must be freed before another try is worth it. */
async function withMissingBytes(parts: RunParts, laid: LaidFile | undefined, error: unknown): Promise<unknown> {
  if (!(error instanceof StorageError) || error.kind !== 'disk-full' || error.missingBytes !== undefined) return error;
  if (laid === undefined) return error;
  const { grid, doneBytes } = laid.board;
  // A disk that does not even tell its free space has none for us.
  const free = await parts.operations.freeBytes(dirname(parts.partial.path)).catch(() => 0);
  const missingBytes = Math.max(1, grid.sizeBytes - doneBytes - free);
  return new StorageError('disk-full', error.path, error.message, { cause: error, missingBytes });
}
