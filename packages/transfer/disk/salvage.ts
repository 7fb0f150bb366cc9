import { sameBytes } from '#content/cid/byte-reader';
import { leafBytesAt } from '#content/leaf/leaf-block';
import type { LeafTable } from '#content/leaf/leaf-table';
import { StorageError } from '#core/failure';
import type { Logger } from '#core/logger';
import { readFully, writeFully, type FileOperations, type OpenFile } from './file-operations.ts';
import { bitOf, decodeJournal, MAX_JOURNAL_BYTES, type Journal } from './journal.ts';
import { identityOf, journalPathOf, type Partial } from './partial.ts';
import { adoptProven, isOfGrid, type ResumeRules } from './resume.ts';
import type { RelatedFile } from '../report/transfer-options.ts';
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
  for (const path of paths)
    await copyLeaves(path, partial, board, operations, rules, (file) =>
      adoptProven(file, partial.file, board, rules.signal, Infinity),
    );
}

/**
 * Copies the leaves that other files have too, wherever they stand there, such as those of an older version. Only leaves that the tables
 * have in common are read, and each is verified. A file that cannot be read is skipped.
 *
 * @throws StorageError when the partial cannot be written; the reason of the signal
 */
export async function copyShared(
  related: readonly RelatedFile[],
  partial: Partial,
  board: SpanBoard,
  operations: FileOperations,
  rules: Pick<ResumeRules, 'logger' | 'signal'>,
): Promise<void> {
  for (const { path, table } of related) {
    const places = sharedPlaces(board, table);
    if (places.length === 0) continue;
    await copyLeaves(path, partial, board, operations, rules, (file) =>
      adoptShared(file, places, partial.file, board, rules.signal),
    );
  }
}

/** Position of a missing unit in another file. */
interface SharedPlace {
  readonly unit: number;
  readonly position: number;
}

/** Missing leaves that have the same digest and length in another file, in the order of that file. */
function sharedPlaces(board: SpanBoard, other: LeafTable): SharedPlace[] {
  const { table, count } = board.grid;
  if (table === undefined || table.hashCode !== other.hashCode || board.isComplete) return [];
  const positions = new Map<string, number>();
  for (let leaf = 0; leaf < other.count; leaf += 1) positions.set(keyOf(other, leaf), other.starts[leaf]!);
  const places: SharedPlace[] = [];
  for (let unit = 0; unit < count; unit += 1) {
    const position = board.isTaken(unit) ? undefined : positions.get(keyOf(table, unit));
    if (position !== undefined) places.push({ unit, position });
  }
  return places.sort((a, b) => a.position - b.position);
}

function keyOf(table: LeafTable, leaf: number): string {
  const at = leaf * table.digestBytes;
  return `${leafBytesAt(table, leaf)} ${Buffer.from(table.digests.subarray(at, at + table.digestBytes)).toString('latin1')}`;
}

async function adoptShared(
  from: OpenFile,
  places: readonly SharedPlace[],
  into: OpenFile,
  board: SpanBoard,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { grid } = board;
  const buffer = Buffer.allocUnsafe(grid.maxUnitBytes);
  for (const { unit, position } of places) {
    signal?.throwIfAborted();
    const bytes = buffer.subarray(0, grid.end(unit) - grid.start(unit));
    if ((await readFully(from, bytes, position)) < bytes.length || !grid.accepts(unit, bytes)) continue;
    await writeFully(into, bytes, grid.start(unit));
    board.done(unit, NO_SOURCE);
  }
}

async function copyLeaves(
  path: string,
  partial: Partial,
  board: SpanBoard,
  operations: FileOperations,
  rules: Pick<ResumeRules, 'logger' | 'signal'>,
  copy: (file: OpenFile) => Promise<void>,
): Promise<void> {
  if (board.isComplete) return;
  const before = board.doneBytes;
  const file = await openOrSkip(path, operations, rules.logger);
  if (file === undefined) return;
  try {
    await copy(whereReadable(file));
  } catch (error) {
    rules.signal?.throwIfAborted();
    if (!(error instanceof NotReadable)) throw StorageError.from(error, partial.path);
    rules.logger.warn({ path, err: error.cause }, 'salvage file not readable to its end');
  } finally {
    await file.close();
  }
  rules.logger.info({ path, bytes: board.doneBytes - before }, 'leaves salvaged');
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
