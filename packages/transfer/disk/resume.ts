import { sameBytes } from '#content/cid/byte-reader';
import type { Logger } from '#core/logger';
import { keepsUnprovenPartial } from '#core/policy';
import { MIB } from '#core/units';
import type { Validator } from '#core/bytes/validator';
import { readFully, writeFully, type OpenFile } from './file-operations.ts';
import type { Grid } from '../plan/grid.ts';
import { bitOf, NO_NAME, type Journal } from './journal.ts';
import type { Partial } from './partial.ts';
import { NO_SOURCE, type SpanBoard } from '../plan/span-board.ts';

export interface ResumeRules {
  readonly identity: Uint8Array;
  /** False when neither a digest nor leaves prove the bytes. */
  readonly isProvable: boolean;
  /** Index on the board of the source that a journal names. */
  readonly indexOf: (sourceName: string) => number;
  /** Sets the version of the bytes on the disk for a source. */
  readonly adoptValidator: (sourceName: string, validator: Validator | undefined) => void;
  readonly logger: Logger;
  readonly signal: AbortSignal | undefined;
}

/** Beyond the last checkpoint of an unclean stop, the search for leaves ends after this many bytes without one. */
const SEARCH_BYTES = 128 * MIB;

export interface Resumed {
  /** Units of the journal were taken over unread: they must be verified before the transfer ends. */
  readonly mustRecheck: boolean;
}

/**
 * Puts the units of an earlier run on the board: those that a journal of the same grid records; without such a journal, those that the leaf
 * table proves; otherwise none. Recorded units may have been damaged since: with a leaf table they are verified again while the transfer
 * continues. Only an unclean stop may have left more units than the journal records.
 *
 * No table proves pieces: the journal must be of the same file, and it records only durable units.
 */
export async function resumePartial(partial: Partial, board: SpanBoard, rules: ResumeRules): Promise<Resumed> {
  const { found, file } = partial;
  const { table } = board.grid;
  if (partial.foundBytes === 0) {
    await forgetLost(partial);
    return { mustRecheck: false };
  }
  const isOther = found.ok && !sameBytes(found.journal.identity, rules.identity);
  if (found.ok && isOfGrid(found.journal, board.grid) && (table !== undefined || !isOther)) {
    if (adopt(found.journal, partial, board, rules)) {
      if (table !== undefined && !found.journal.isClean)
        await adoptProven(file, file, board, rules.signal, SEARCH_BYTES);
      return { mustRecheck: table !== undefined };
    }
  } else if (table !== undefined) {
    rules.logger.info({ path: partial.path }, 'partial is verified leaf by leaf');
    await adoptProven(file, file, board, rules.signal, Infinity);
    return { mustRecheck: false };
  }
  rules.logger.warn({ path: partial.path, otherFile: isOther }, 'partial is started over');
  await partial.clear();
  return { mustRecheck: false };
}

/** The journal of a lost partial must not describe the new one. Without a journal there is nothing to sync. */
async function forgetLost(partial: Partial): Promise<void> {
  const { found } = partial;
  if (found.ok || found.reason !== 'absent') await partial.clear();
}

export const isOfGrid = (journal: Journal, grid: Grid): boolean =>
  journal.sizeBytes === grid.sizeBytes && journal.count === grid.count && sameBytes(journal.gridHash, grid.hash);

/**
 * Verifies suspect units again while the transfer continues; a damaged unit is dropped and fetched like any other. Takes about a second
 * per GB.
 *
 * @param drop takes a unit off the board
 * @returns how many units were dropped
 */
export async function recheck(
  file: OpenFile,
  board: SpanBoard,
  isSuspect: (unit: number) => boolean,
  isStopped: () => boolean,
  drop: (unit: number) => void,
): Promise<number> {
  const { grid } = board;
  const buffer = Buffer.allocUnsafe(grid.maxUnitBytes);
  let dropped = 0;
  for (let unit = 0; unit < grid.count && !isStopped(); unit += 1) {
    if (!isSuspect(unit)) continue;
    const bytes = buffer.subarray(0, grid.end(unit) - grid.start(unit));
    const count = await readFully(file, bytes, grid.start(unit));
    if (count === bytes.length && grid.accepts(unit, bytes)) continue;
    drop(unit);
    dropped += 1;
  }
  return dropped;
}

/** Puts the recorded units on the board. @returns false when the partial must not be continued */
function adopt(journal: Journal, partial: Partial, board: SpanBoard, rules: ResumeRules): boolean {
  const { grid } = board;
  const indexes = journal.names.map((name) => rules.indexOf(name.source));
  for (let unit = 0; unit < grid.count; unit += 1) {
    if (!bitOf(journal.bitmap, unit) || grid.end(unit) > partial.foundBytes) continue;
    const origin = journal.origins[unit]!;
    board.done(unit, origin === NO_NAME ? NO_SOURCE : (indexes[origin] ?? NO_SOURCE));
  }
  for (const name of journal.names) rules.adoptValidator(name.source, name.validator);
  if (rules.isProvable || (isOfOneValidator(journal) && keepsUnprovenPartial(board.doneBytes, grid.sizeBytes)))
    return true;
  for (let unit = 0; unit < grid.count; unit += 1) board.drop(unit);
  return false;
}

/** Unproven bytes are continued only under the version with which they began. */
function isOfOneValidator(journal: Journal): boolean {
  const used = new Set(journal.origins.filter((_, unit) => bitOf(journal.bitmap, unit)));
  const [only] = used;
  return used.size === 1 && journal.names[only!]?.validator !== undefined;
}

/**
 * Verifies the leaves of a file against the table and puts the correct ones on the board; copies them into the partial if the file is
 * another one. Takes about a second per GB.
 *
 * @throws StorageError when the partial cannot be written
 */
export async function adoptProven(
  from: OpenFile,
  into: OpenFile,
  board: SpanBoard,
  signal: AbortSignal | undefined,
  searchBytes: number,
): Promise<void> {
  const { grid } = board;
  const buffer = Buffer.allocUnsafe(grid.maxUnitBytes);
  const hole = Buffer.alloc(grid.maxUnitBytes);
  let withoutFind = 0;
  for (let unit = 0; unit < grid.count && grid.end(unit) <= from.sizeBytes; unit += 1) {
    if (board.isTaken(unit)) continue;
    signal?.throwIfAborted();
    const bytes = buffer.subarray(0, grid.end(unit) - grid.start(unit));
    const count = await readFully(from, bytes, grid.start(unit));
    withoutFind += count;
    // A partial is sparse: unwritten units read as zeros, and comparing is faster than hashing.
    const isHole = from === into && bytes.equals(hole.subarray(0, bytes.length));
    if (count === bytes.length && !isHole && grid.accepts(unit, bytes)) {
      if (from !== into) await writeFully(into, bytes, grid.start(unit));
      board.done(unit, NO_SOURCE);
      withoutFind = 0;
    } else if (withoutFind >= searchBytes) return;
  }
}
