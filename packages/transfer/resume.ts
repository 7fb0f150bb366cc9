import { StorageError } from '#core/failure';
import type { Logger } from '#core/logger';
import { keepsUnprovenPartial } from '#core/policy';
import { readFully, writeFully, type FileOperations, type OpenFile } from './file-operations.ts';
import type { Grid } from './grid.ts';
import { bitOf, NO_NAME, type Journal } from './journal.ts';
import type { Partial } from './partial.ts';
import { NO_SOURCE, type SpanBoard } from './span-board.ts';

export interface ResumeRules {
  readonly identity: Uint8Array;
  /** False when neither a digest nor a CID will ever prove the bytes. */
  readonly isProvable: boolean;
  /** Index on the board of the source that a journal names. */
  readonly indexOf: (sourceName: string) => number;
  /** Tells a source which validator its bytes on the disk had. */
  readonly adoptEtag: (sourceName: string, etag: string | undefined) => void;
  readonly logger: Logger;
  readonly signal: AbortSignal | undefined;
}

/**
 * Puts what an earlier run left behind on the board: what the journal claims where it can be trusted, what the
 * leaf table proves where it cannot, and otherwise nothing.
 */
export async function resumePartial(partial: Partial, board: SpanBoard, rules: ResumeRules): Promise<void> {
  if (partial.file.sizeBytes === 0) return;
  const { found } = partial;
  const isOther = found.ok && !sameBytes(found.journal.identity, rules.identity);
  if (found.ok && isTrustworthy(found.journal, board.grid, isOther)) {
    if (adopt(found.journal, partial, board, rules)) return;
  } else if (board.grid.table !== undefined) {
    rules.logger.info({ path: partial.path }, 'partial is verified leaf by leaf');
    await adoptProven(partial.file, partial.file, board, rules.signal);
    return;
  }
  rules.logger.warn({ path: partial.path, otherFile: isOther }, 'partial is started over');
  await partial.clear();
}

/**
 * A journal of the same leaves is believed after a clean stop; after an unclean one they prove themselves again.
 * Pieces cannot: they must be of the same file, and were durable when the journal claimed them.
 */
function isTrustworthy(journal: Journal, grid: Grid, isOther: boolean): boolean {
  if (journal.sizeBytes !== grid.sizeBytes || journal.count !== grid.count) return false;
  if (!sameBytes(journal.gridHash, grid.hash)) return false;
  return grid.table === undefined ? !isOther : journal.isClean;
}

/** @returns false when the partial is not worth continuing */
function adopt(journal: Journal, partial: Partial, board: SpanBoard, rules: ResumeRules): boolean {
  const { grid } = board;
  const indexes = journal.names.map((name) => rules.indexOf(name.source));
  for (let unit = 0; unit < grid.count; unit += 1) {
    if (!bitOf(journal.bitmap, unit) || grid.end(unit) > partial.file.sizeBytes) continue;
    const origin = journal.origins[unit]!;
    board.done(unit, origin === NO_NAME ? NO_SOURCE : (indexes[origin] ?? NO_SOURCE));
  }
  for (const name of journal.names) rules.adoptEtag(name.source, name.etag);
  if (rules.isProvable || (isOfOneValidator(journal) && keepsUnprovenPartial(board.doneBytes, grid.sizeBytes)))
    return true;
  for (let unit = 0; unit < grid.count; unit += 1) board.drop(unit);
  return false;
}

/** HR3: bytes that nothing will prove are continued only under the strong validator they began with. */
function isOfOneValidator(journal: Journal): boolean {
  const used = new Set(journal.origins.filter((_, unit) => bitOf(journal.bitmap, unit)));
  const [only] = used;
  return used.size === 1 && journal.names[only!]?.etag !== undefined;
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
): Promise<void> {
  const { grid } = board;
  const buffer = Buffer.allocUnsafe(grid.maxUnitBytes);
  for (let unit = 0; unit < grid.count && grid.end(unit) <= from.sizeBytes; unit += 1) {
    if (board.isTaken(unit)) continue;
    signal?.throwIfAborted();
    const bytes = buffer.subarray(0, grid.end(unit) - grid.start(unit));
    const count = await readFully(from, bytes, grid.start(unit));
    if (count < bytes.length || !grid.accepts(unit, bytes)) continue;
    if (from !== into) await writeFully(into, bytes, grid.start(unit));
    board.done(unit, NO_SOURCE);
  }
}

/** Takes over the good leaves of other files; a file that cannot be read is passed over. */
export async function salvage(
  paths: readonly string[],
  partial: Partial,
  board: SpanBoard,
  operations: FileOperations,
  rules: Pick<ResumeRules, 'logger' | 'signal'>,
): Promise<void> {
  for (const path of paths) {
    if (board.isComplete) return;
    const before = board.doneBytes;
    const file = await openOrSkip(path, operations, rules.logger);
    if (file === undefined) continue;
    try {
      await adoptProven(file, partial.file, board, rules.signal);
    } catch (error) {
      rules.signal?.throwIfAborted();
      throw StorageError.from(error, partial.path);
    } finally {
      await file.close();
    }
    rules.logger.info({ path, bytes: board.doneBytes - before }, 'leaves salvaged');
  }
}

async function openOrSkip(path: string, operations: FileOperations, logger: Logger): Promise<OpenFile | undefined> {
  try {
    return await operations.openForReading(path);
  } catch (err) {
    logger.warn({ path, err }, 'salvage file not readable');
    return undefined;
  }
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}
