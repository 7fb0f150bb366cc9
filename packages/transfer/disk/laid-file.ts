import { dirname } from 'node:path';
import type { DigestedFile } from '#content/digest/file-digester';
import { StorageError } from '#core/failure';
import { reserveDisk, type DiskReservation } from './disk-reservation.ts';
import type { FileDigest } from '../proof/file-digest.ts';
import { writeFully } from './file-operations.ts';
import { leafGrid, pieceGrid } from '../plan/grid.ts';
import { LeafWriter, type WritableRun } from './leaf-writer.ts';
import { identityOf } from './partial.ts';
import { recheck, resumePartial, type ResumeRules } from './resume.ts';
import { copyRecorded, salvage } from './salvage.ts';
import { algorithmsOf, isProvable, type RunParts } from '../run/run-parts.ts';
import type { Ground } from '../run/source-try.ts';
import { NO_SOURCE, SpanBoard } from '../plan/span-board.ts';
import { startFileDigest } from '../proof/threaded-digest.ts';

export interface LaidFileEvents {
  /** The board shows what earlier runs left; space is not set aside yet. */
  resumed(board: SpanBoard): void;
  /** Units are on the disk and on the board. */
  committed(): void;
  failed(error: StorageError): void;
}

/**
 * The file of a transfer once its length is known: what is on the disk and who gave it, the space that is set aside, and the
 * digest that follows the bytes.
 */
export class LaidFile implements Ground {
  readonly board: SpanBoard;
  readonly writer: LeafWriter;
  /** Bytes that were on the disk before this run, or were salvaged, and still count. */
  resumedBytes = 0;
  /** Those of them that the DAG itself carries and this run put there. */
  carriedBytes = 0;
  readonly #parts: RunParts;
  readonly #reservation: DiskReservation;
  readonly #events: LaidFileEvents;
  /** 1 for each unit that was on the disk before this run. */
  #isResumed = new Uint8Array(0);
  /** Resolves with the number of claimed units that turned out to be bad. */
  #recheck: Promise<number> | undefined;
  #digest: FileDigest | undefined;
  #isEnding = false;

  private constructor(parts: RunParts, board: SpanBoard, reservation: DiskReservation, events: LaidFileEvents) {
    this.#parts = parts;
    this.#reservation = reservation;
    this.#events = events;
    this.board = board;
    this.writer = new LeafWriter(parts.partial.file, parts.partial.path, board, {
      accepted: (position, bytes) => this.#digest?.offer(position, bytes),
      committed: (run) => this.#committed(run),
      failed: (error) => events.failed(error),
      behind: () => parts.partial.behind,
    });
  }

  /**
   * Takes over what earlier runs left, sets space aside, and prepares everything for bytes to come.
   *
   * @throws StorageError `disk-full` when the rest does not fit, or when the disk refuses; the signal's reason
   */
  static async lay(parts: RunParts, sizeBytes: number, events: LaidFileEvents): Promise<LaidFile> {
    const { options, operations, partial } = parts;
    const { table } = options;
    const board = new SpanBoard(table === undefined ? pieceGrid(sizeBytes) : leafGrid(table));
    const rules = resumeRules(parts);
    const { mustRecheck } = await resumePartial(partial, board, rules);
    events.resumed(board);
    const freeBytes = (folder: string): Promise<number> => operations.freeBytes(folder);
    const reservation = await reserveDisk(dirname(partial.path), sizeBytes - board.doneBytes, freeBytes);
    try {
      await partial.setSize(sizeBytes);
      partial.follow(board, () => parts.states.map(({ source, validator }) => ({ source: source.name, validator })));
      if (table !== undefined) await salvage(options.salvage ?? [], partial, board, operations, rules);
      else if (isProvable(options)) await copyRecorded(options.salvage ?? [], parts, board);
      const carriedBytes = await writeKnownLeaves(parts, board);
      const laid = new LaidFile(parts, board, reservation, events);
      laid.carriedBytes = carriedBytes;
      await laid.restartDigest();
      laid.#begin(mustRecheck);
      return laid;
    } catch (error) {
      reservation.release();
      throw error;
    }
  }

  /** Whose bytes they are. What an earlier run left may have been damaged since: nobody is blamed for it. */
  originInThisRun(unit: number): number {
    return this.#isResumed[unit] === 1 ? NO_SOURCE : this.board.originOf(unit);
  }

  /** Takes back what came from these origins: it is fetched again. */
  drop(isSuspect: (origin: number) => boolean): void {
    for (let unit = 0; unit < this.board.grid.count; unit += 1) {
      if (this.board.isDone(unit) && isSuspect(this.originInThisRun(unit))) this.#dropUnit(unit);
    }
  }

  /** What a journal claimed is proven again meanwhile. @returns how many units of it were bad and are free again */
  async rechecked(): Promise<number> {
    const dropped = await this.#recheck;
    this.#recheck = undefined;
    return dropped ?? 0;
  }

  /** Proves all that is on the board again, whoever gave it. @returns how many units were bad and are free again */
  proveAgain(): Promise<number> {
    return this.#startRecheck(new Uint8Array(this.board.grid.count).fill(1));
  }

  /** Hashes the whole file anew, because bytes that were hashed are fetched again. */
  async restartDigest(): Promise<void> {
    const { options, partial } = this.#parts;
    await this.#digest?.stop();
    const { sizeBytes } = this.board.grid;
    const plan = { sizeBytes, algorithms: algorithmsOf(options), dagProfile: options.dagProfile };
    this.#digest = startFileDigest(partial.file, partial.path, plan, options.digestThread ?? 'auto');
    this.#digest.advance(this.board.frontierBytes);
  }

  /** Resolves with the proof of the whole file, once it is complete; rejects with the reason of the signal, which may come before. */
  digested(): Promise<DigestedFile> {
    return unlessAborted(this.#digest!.finish(), this.#parts.options.signal);
  }

  /** Lets go of the file: nothing of ours reads it any more, and its space is free for others. Safe twice. */
  async end(): Promise<void> {
    this.#isEnding = true;
    this.#reservation.release();
    await this.#digest?.stop();
    // What the recheck could not read or did not come to is claimed all the same: the next run looks at every claim.
    await this.#recheck?.catch(() => undefined);
  }

  #begin(mustRecheck: boolean): void {
    const { board } = this;
    this.resumedBytes = board.doneBytes;
    this.#isResumed = Uint8Array.from({ length: board.grid.count }, (_, unit) => Number(board.isDone(unit)));
    if (mustRecheck) this.#recheck = this.#startRecheck(this.#isResumed.slice());
  }

  #startRecheck(suspects: Uint8Array): Promise<number> {
    const { options, partial } = this.#parts;
    const { file, path } = partial;
    const running = recheck(
      file,
      this.board,
      (unit) => suspects[unit] === 1 && this.board.isDone(unit),
      () => this.#isEnding || options.signal?.aborted === true,
      (unit) => this.#dropUnit(unit),
    );
    const checked = running.catch((error: unknown) => Promise.reject(StorageError.from(error, path)));
    // Whoever waits for it hears of it; a transfer that ends before must not leave it unheard.
    checked.catch(() => undefined);
    return checked;
  }

  #committed(run: WritableRun): void {
    const { states, partial } = this.#parts;
    const state = states[run.source];
    if (state !== undefined) state.committedBytes += run.bytes;
    partial.wrote(run.bytes);
    this.#reservation.remaining(this.board.grid.sizeBytes - this.board.doneBytes);
    this.#digest?.advance(this.board.frontierBytes);
    this.#events.committed();
  }

  #dropUnit(unit: number): void {
    const { grid } = this.board;
    const bytes = grid.end(unit) - grid.start(unit);
    const state = this.#parts.states[this.originInThisRun(unit)];
    if (state === undefined) this.resumedBytes -= bytes;
    else {
      state.committedBytes -= bytes;
      state.wastedBytes += bytes;
    }
    this.#isResumed[unit] = 0;
    this.board.drop(unit);
  }
}

function resumeRules({ options, states, logger }: RunParts): ResumeRules {
  const stateOf = (name: string) => states.find((state) => state.source.name === name);
  return {
    identity: identityOf(options.file),
    isProvable: isProvable(options),
    indexOf: (name) => stateOf(name)?.index ?? NO_SOURCE,
    adoptValidator: (name, validator) => {
      const state = stateOf(name);
      if (state !== undefined) state.validator = validator;
    },
    logger,
    signal: options.signal,
  };
}

/** Leaves whose bytes the DAG itself carries: nothing to fetch. @returns how many bytes were not there yet */
async function writeKnownLeaves({ partial }: RunParts, board: SpanBoard): Promise<number> {
  let written = 0;
  for (const [unit, bytes] of board.grid.table?.known ?? []) {
    if (board.isDone(unit)) continue;
    try {
      await writeFully(partial.file, bytes, board.grid.start(unit));
    } catch (error) {
      throw StorageError.from(error, partial.path);
    }
    board.done(unit, NO_SOURCE);
    written += bytes.length;
  }
  return written;
}

/** Settles as the work does, or rejects with the signal's reason as soon as there is one; then nobody hears the end of the work. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  let stop = (): void => undefined;
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason as Error);
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
