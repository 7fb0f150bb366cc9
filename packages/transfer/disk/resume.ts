import { sameBytes } from '#content/cid/byte-reader';
import type { Logger } from '#core/logger';
import { keepsUnprovenPartial } from '#core/policy';
import { MIB } from '#core/units';
import type { Validator } from '#core/validator';
import { readFully, writeFully, type OpenFile } from './file-operations.ts';
import type { Grid } from '../plan/grid.ts';
import { bitOf, NO_NAME, type Journal } from './journal.ts';
import type { Partial } from './partial.ts';
import { NO_SOURCE, type SpanBoard } from '../plan/span-board.ts';

export interface ResumeRules {
  readonly identity: Uint8Array;
  /** False when neither a digest nor a CID will ever prove the bytes. */
  readonly isProvable: boolean;
  /** Index on the board of the source that a journal names. */
  readonly indexOf: (sourceName: string) => number;
  /** Tells a source which version its bytes on the disk are of. */
  readonly adoptValidator: (sourceName: string, validator: Validator | undefined) => void;
  readonly logger: Logger;
  readonly signal: AbortSignal | undefined;
}

/** Beyond the last checkpoint of an unclean stop, leaves are looked for until so much holds none. */
const SEARCH_BYTES = 128 * MIB;

export interface Resumed {
  /** The claims of a journal were taken over unread: they must be proven again before the end (HD11). */
  readonly mustRecheck: boolean;
}

/**
 * Puts what an earlier run left behind on the board: what a journal of the same cut claims, what the leaf table
 * proves where there is no such journal, and otherwise nothing. What a journal claims may have been damaged since, however the
 * earlier run ended: with a leaf table it is proven again while the transfer goes on. Only an unclean stop may have left more
 * than the journal claims.
 *
 * Pieces cannot prove themselves: they must be of the same file, and were durable when the journal claimed them.
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

/** The journal of a partial that is lost must not speak for the new one. Where there is none, nothing needs to be synced. */
async function forgetLost(partial: Partial): Promise<void> {
  const { found } = partial;
  if (found.ok || found.reason !== 'absent') await partial.clear();
}

export const isOfGrid = (journal: Journal, grid: Grid): boolean =>
  journal.sizeBytes === grid.sizeBytes && journal.count === grid.count && sameBytes(journal.gridHash, grid.hash);

/**
 * Proves the units again that were on the board when it began, while the transfer goes on; a bad one is dropped
 * and fetched like any other. About a second per GB.
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

/** @returns false when the partial is not worth continuing */
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

/** HR3: bytes that nothing will prove are continued only as the version they began with. */
function isOfOneValidator(journal: Journal): boolean {
  const used = new Set(journal.origins.filter((_, unit) => bitOf(journal.bitmap, unit)));
  const [only] = used;
  return used.size === 1 && journal.names[only!]?.validator !== undefined;
}

/**
 * Hashes the leaves of a file against the table and takes over the good ones: into the partial when the file is
 * another one. Costs about a second per GB.
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
    // A partial is sparse: what was never written reads as zeros, which is faster seen than hashed.
    const isHole = from === into && bytes.equals(hole.subarray(0, bytes.length));
    if (count === bytes.length && !isHole && grid.accepts(unit, bytes)) {
      if (from !== into) await writeFully(into, bytes, grid.start(unit));
      board.done(unit, NO_SOURCE);
      withoutFind = 0;
    } else if (withoutFind >= searchBytes) return;
  }
}
