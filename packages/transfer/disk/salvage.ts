import { sameBytes } from '#content/cid/byte-reader';
import { StorageError } from '#core/failure';
import type { Logger } from '#core/logger';
import { readFully, writeFully, type FileOperations, type OpenFile } from './file-operations.ts';
import { bitOf, decodeJournal, MAX_JOURNAL_BYTES, type Journal } from './journal.ts';
import { identityOf, journalPathOf, type Partial } from './partial.ts';
import { adoptProven, isOfGrid, type ResumeRules } from './resume.ts';
import type { RunParts } from '../run/run-parts.ts';
import { NO_SOURCE, type SpanBoard } from '../plan/span-board.ts';

/** Copies the correct leaves of other files; a file that cannot be read is skipped. */
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
      await adoptProven(whereReadable(file), partial.file, board, rules.signal, Infinity);
    } catch (error) {
      rules.signal?.throwIfAborted();
      if (!(error instanceof NotReadable)) throw StorageError.from(error, partial.path);
      rules.logger.warn({ path, err: error.cause }, 'salvage file not readable to its end');
    } finally {
      await file.close();
    }
    rules.logger.info({ path, bytes: board.doneBytes - before }, 'leaves salvaged');
  }
}

class NotReadable extends Error {}

/** Distinguishes read errors of the other file from errors of the partial. */
const whereReadable = (file: OpenFile): OpenFile => ({
  ...file,
  read: (buffer, position) =>
    file.read(buffer, position).catch((cause: unknown) => {
      throw new NotReadable('a salvage file cannot be read', { cause });
    }),
});

async function openOrSkip(path: string, operations: FileOperations, logger: Logger): Promise<OpenFile | undefined> {
  try {
    return await operations.openForReading(path);
  } catch (err) {
    logger.warn({ path, err }, 'salvage file not readable');
    return undefined;
  }
}

/**
 * Without a leaf table, copies the pieces that journals of other partials record of the same file. The digest of the whole file proves them
 * afterwards; without a digest nothing must be copied. A file that cannot be read is skipped.
 *
 * @throws StorageError when the partial cannot be written; the reason of the signal
 */
export async function copyRecorded(paths: readonly string[], parts: RunParts, board: SpanBoard): Promise<void> {
  for (const path of paths) {
    if (board.isComplete) return;
    const before = board.doneBytes;
    try {
      const journal = await journalOf(path, parts, board);
      const file = journal && (await parts.operations.openForReading(path));
      if (file !== undefined) await copyFrom(file, journal!, parts, board).finally(() => file.close());
    } catch (error) {
      if (error instanceof StorageError) throw error;
      parts.options.signal?.throwIfAborted();
      parts.logger.warn({ path, err: error }, 'salvage file not readable to its end');
    }
    if (board.doneBytes > before) parts.logger.info({ path, bytes: board.doneBytes - before }, 'pieces salvaged');
  }
}

async function journalOf(path: string, parts: RunParts, board: SpanBoard): Promise<Journal | undefined> {
  const found = decodeJournal(await parts.operations.readSmall(journalPathOf(path), MAX_JOURNAL_BYTES));
  const isOfThis = found.ok && sameBytes(found.journal.identity, identityOf(parts.options.file));
  return isOfThis && isOfGrid(found.journal, board.grid) ? found.journal : undefined;
}

async function copyFrom(from: OpenFile, journal: Journal, parts: RunParts, board: SpanBoard): Promise<void> {
  const { partial, options } = parts;
  const { grid } = board;
  const buffer = Buffer.allocUnsafe(grid.maxUnitBytes);
  for (let unit = 0; unit < grid.count; unit += 1) {
    if (!bitOf(journal.bitmap, unit) || board.isTaken(unit)) continue;
    options.signal?.throwIfAborted();
    const bytes = buffer.subarray(0, grid.end(unit) - grid.start(unit));
    if ((await readFully(from, bytes, grid.start(unit))) < bytes.length) return;
    await writeFully(partial.file, bytes, grid.start(unit)).catch((error: unknown) => {
      throw StorageError.from(error, partial.path);
    });
    board.done(unit, NO_SOURCE);
    partial.wrote(bytes.length);
  }
}
