import { dirname } from 'node:path';
import type { ByteRange } from '#core/bytes/byte-range';
import type { DigestedFile } from '#content/digest/file-digester';
import { StorageError } from '#core/failure';
import { reserveDisk, type DiskReservation } from './disk-reservation.ts';
import type { FileDigest } from '../proof/file-digest.ts';
import { writeFully } from './file-operations.ts';
import { leafGrid, pieceGrid } from '../plan/grid.ts';
import { LeafWriter, type WritableRun } from './leaf-writer.ts';
import { identityOf } from './partial.ts';
import { recheck, resumePartial, type ResumeRules } from './resume.ts';
import { copyRecorded, copyShared, salvage } from './salvage.ts';
import { algorithmsOf, isProvable, type RunParts } from '../run/run-parts.ts';
import type { Ground } from '../run/source-try.ts';
import { NO_SOURCE, SpanBoard } from '../plan/span-board.ts';
import { startFileDigest } from '../proof/threaded-digest.ts';
import type { HeldFile } from '../report/transfer-options.ts';

export interface LaidFileEvents {
  /** The board holds what earlier runs left; space is not reserved yet. */
  resumed(board: SpanBoard): void;
  /** Units are on the disk and on the board. */
  committed(): void;
  failed(error: StorageError): void;
}

/**
 * The file of a transfer once its length is known: which units are on the disk and which source sent them, the reserved space, and the
 * digest that is computed behind the bytes.
 */
export class LaidFile implements Ground {
  readonly board: SpanBoard;
  readonly writer: LeafWriter;
  /** Bytes that were on the disk before this run or were salvaged, minus those that were dropped since. */
  resumedBytes = 0;
  /** Those of them that this run wrote from the DAG itself. */
  carriedBytes = 0;
  readonly #parts: RunParts;
  readonly #reservation: DiskReservation;
  readonly #events: LaidFileEvents;
  /** 1 for each unit that was on the disk before this run. */
  #isResumed = new Uint8Array(0);
  /** Resolves with the number of recorded units that were damaged. */
  #recheck: Promise<number> | undefined;
  #digest: FileDigest | undefined;
  readonly #listeners = new Set<() => void>();
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
   * Takes over what earlier runs left, reserves space, and starts the digest.
   *
   * @throws StorageError `disk-full` when the rest does not fit, or when the disk refuses; the reason of the signal
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
      if (table !== undefined) await copyShared(options.related ?? [], partial, board, operations, rules);
      const carriedBytes = await writeKnownLeaves(parts, board);
      const laid = new LaidFile(parts, board, reservation, events);
      laid.carriedBytes = carriedBytes;
      await laid.restartDigest();
      laid.#begin(mustRecheck);
      shareOut(parts, board, laid.writer, (listener) => {
        laid.#listeners.add(listener);
        return () => laid.#listeners.delete(listener);
      });
      return laid;
    } catch (error) {
      reservation.release();
      throw error;
    }
  }

  /** The source of a unit; none for units of an earlier run, which may have been damaged on the disk since. */
  originInThisRun(unit: number): number {
    return this.#isResumed[unit] === 1 ? NO_SOURCE : this.board.originOf(unit);
  }

  /** Drops the units of these origins, so that they are fetched again. */
  drop(isSuspect: (origin: number) => boolean): void {
    for (let unit = 0; unit < this.board.grid.count; unit += 1) {
      if (this.board.isDone(unit) && isSuspect(this.originInThisRun(unit))) this.#dropUnit(unit);
    }
  }

  /** Waits until the units of the journal are verified again. @returns how many were damaged and are free again */
  async rechecked(): Promise<number> {
    const dropped = await this.#recheck;
    this.#recheck = undefined;
    return dropped ?? 0;
  }

  /** Verifies all units on the board again. @returns how many were damaged and are free again */
  proveAgain(): Promise<number> {
    return this.#startRecheck(new Uint8Array(this.board.grid.count).fill(1));
  }

  /** Restarts the digest of the whole file, because bytes that were already hashed are fetched again. */
  async restartDigest(): Promise<void> {
    const { options, partial } = this.#parts;
    await this.#digest?.stop();
    const { sizeBytes } = this.board.grid;
    const plan = { sizeBytes, algorithms: algorithmsOf(options), dagProfile: options.dagProfile };
    this.#digest = startFileDigest(partial.file, partial.path, plan, options.digestThread ?? 'auto');
    this.#digest.advance(this.board.frontierBytes);
  }

  /** Resolves with the digests of the complete file; rejects with the reason of the signal as soon as it fires. */
  digested(): Promise<DigestedFile> {
    return unlessAborted(this.#digest!.finish(), this.#parts.options.signal);
  }

  /** Stops all reads of the file and releases the reserved space. Safe to call twice. */
  async end(): Promise<void> {
    this.#isEnding = true;
    this.#reservation.release();
    await this.#digest?.stop();
    // Units that the recheck did not reach stay recorded: the next run verifies all recorded units.
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
    // The awaiting caller handles the error; this avoids an unhandled rejection if the transfer ends first.
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
    for (const listener of this.#listeners) listener();
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

/** Sources that hold parts are asked for those; the others for the part of this host, where hosts divide the file. */
function shareOut(parts: RunParts, board: SpanBoard, writer: LeafWriter, onMore: HeldFile['onMore']): void {
  const {
    options: { share, table },
    states,
    partial,
  } = parts;
  if (table === undefined || (share === undefined && states.every(({ source }) => source.holds === undefined))) return;
  const { grid } = board;
  board.limitTo((unit, index) => {
    const range = { start: grid.start(unit), end: grid.end(unit) };
    return states[index]?.source.holds?.(range) ?? share?.mayAsk(range, unit) ?? true;
  });
  const stateOf = (name: string) => states.find(({ source }) => source.name === name);
  const bytesFrom = (name: string): number | undefined => {
    const state = stateOf(name);
    return state === undefined || state.isLeft ? undefined : state.committedBytes;
  };
  const isRefused = (name: string, leaf: number): boolean => board.isExcluded(leaf, stateOf(name)?.index ?? NO_SOURCE);
  const told = {
    isDone: board.isDone,
    bytesFrom,
    isRefused,
    ...originFacts(parts),
    begunBytes: (part: ByteRange) => board.begunBytes(part),
    diskWaitMs: () => writer.waitedMs,
    onMore,
  };
  share?.begin({ path: partial.path, table, ...told });
}

function originFacts({ states, now }: RunParts): Pick<HeldFile, 'originPauseMs' | 'originBytes'> {
  return {
    originPauseMs: () => {
      const others = states.filter(({ source, isLeft }) => !isLeft && source.layer !== 'peer');
      const pauses = others.map(({ pausedUntil }) => Math.max(0, pausedUntil - now()));
      return pauses.length === 0 ? undefined : Math.min(...pauses);
    },
    originBytes: () =>
      states
        .filter(({ source: { layer, origin } }) => layer !== 'peer' && URL.canParse(origin))
        .reduce((sum, { committedBytes, wastedBytes }) => sum + committedBytes + wastedBytes, 0),
  };
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

/** Writes the leaves whose bytes the DAG itself carries. @returns how many bytes were not there yet */
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

/** Settles like the work, or rejects with the reason of the signal as soon as it fires; the work is then ignored. */
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
