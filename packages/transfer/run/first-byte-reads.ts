import { SourceError } from '#core/failure';
import type { ByteSink, ReadRequest, ResponseHead } from '#core/source';
import { KIB } from '#core/units';
import { SpanEnded } from '../proof/leaf-cutter.ts';
import type { Ground, SourceTry, TryFile } from './source-try.ts';
import type { SourceState } from './source-state.ts';
import type { Claim } from '../plan/span-board.ts';

/** The file on the disk. */
export interface FileLayout {
  /** Undefined until the length of the file is known. */
  readonly laid: Ground | undefined;
  fileOf(state: SourceState): TryFile;
}

/**
 * Reads a response that may begin the file, because the length of the file is not known yet or neither a digest nor leaves prove the
 * bytes. A response of unknown length leaves the board of the file unset.
 *
 * @param claim all missing units; undefined when the disk has none of the file
 */
export async function readFromStart(
  run: SourceTry,
  claim: Claim | undefined,
  { layout, isProvable }: { readonly layout: FileLayout; readonly isProvable: boolean },
): Promise<void> {
  const file = layout.fileOf(run.state);
  const { laid: ground } = layout;
  if (isProvable) await openWhole(run, file);
  else await readUnproven(run, ground && claim && { ground, claim }, file);
}

/** Reads a file whose size is not known yet. */
async function openWhole(run: SourceTry, file: TryFile): Promise<void> {
  const laying = layingFor(run, file);
  const head = (given: ResponseHead): void => {
    run.headArrived(given);
    laying.head(given);
  };
  await readLaying(run, {}, { head, write: (chunk) => laying.write(chunk) }, laying);
}

/**
 * Continues unproven bytes if the response is certainly of their version. Otherwise starts over: with this response if it begins at the
 * start of the file, else with the next one.
 *
 * @param at board, writer and claim of all missing units; undefined when the disk has none of the file
 */
async function readUnproven(
  run: SourceTry,
  at: { readonly ground: Ground; readonly claim: Claim } | undefined,
  file: TryFile,
): Promise<void> {
  run.claim = at?.claim;
  const laying = layingFor(run, file);
  let sink: ByteSink = laying;
  let mustForget = false;
  const head = (given: ResponseHead): void => {
    run.headArrived(given);
    if (at !== undefined && file.continues(given)) {
      run.begin(at.ground, at.claim, given.start === 0 ? 0 : overlapUnit(at.ground, at.claim));
      sink = new JoiningSink(given.start, at.ground.board.grid.start(at.claim.first), file, {
        take: (chunk) => run.take(at.ground, chunk),
        differs: () => {
          run.claim = undefined;
          mustForget = true;
          throw new SpanEnded();
        },
      });
      return;
    }
    run.claim = undefined;
    mustForget = given.start > 0;
    if (mustForget) throw new SpanEnded();
    laying.head(given);
  };
  const request =
    at === undefined || at.claim.first === 0 || run.mode === 'stream'
      ? { sizeBytes: file.pinnedBytes }
      : restOf(run, at.ground, at.claim, file);
  try {
    await readLaying(run, request, { head, write: (chunk) => sink.write(chunk) }, laying);
  } catch (error) {
    // The response was longer than the file: the kept bytes are the beginning of other content.
    mustForget ||= error instanceof SourceError && error.kind === 'size-mismatch';
    throw error;
  } finally {
    if (mustForget) await file.forget();
  }
}

function restOf({ state }: SourceTry, { board }: Ground, claim: Claim, { pinnedBytes }: TryFile): ReadRequest {
  return {
    range: { start: board.grid.start(overlapUnit({ board }, claim)), end: board.grid.end(claim.end - 1) },
    sizeBytes: pinnedBytes,
    continues: { validator: state.validator },
  };
}

/** So many bytes in front of the missing ones are requested once more. */
const OVERLAP_BYTES = 64 * KIB;

/** @returns the first unit that a request for the rest of unproven bytes asks for */
function overlapUnit({ board }: Pick<Ground, 'board'>, claim: Claim): number {
  const joint = board.grid.start(claim.first);
  let unit = claim.first;
  while (unit > 0 && board.isDone(unit - 1) && joint - board.grid.start(unit) < OVERLAP_BYTES) unit -= 1;
  return unit;
}

interface JoiningEvents {
  readonly take: Take;
  /** The response is of another version. */
  readonly differs: () => never;
}

/**
 * Compares the beginning of a response with the bytes that it continues. A server may show the version of a file that it has looked at
 * some minutes ago, and send the bytes of the file that is there now (`rclone serve`).
 */
class JoiningSink implements ByteSink {
  readonly #joint: number;
  readonly #file: Pick<TryFile, 'readBack'>;
  readonly #events: JoiningEvents;
  #position: number;

  /** @param joint position of the first byte that is missing */
  constructor(start: number, joint: number, file: Pick<TryFile, 'readBack'>, events: JoiningEvents) {
    this.#position = start;
    this.#joint = joint;
    this.#file = file;
    this.#events = events;
  }

  head = (): void => undefined;

  write(chunk: Uint8Array): void | Promise<void> {
    return this.#position < this.#joint ? this.#compare(chunk.slice()) : this.#events.take(chunk);
  }

  async #compare(chunk: Uint8Array): Promise<void> {
    const known = Buffer.allocUnsafe(Math.min(chunk.length, this.#joint - this.#position));
    await this.#file.readBack(known, this.#position);
    if (!known.equals(chunk.subarray(0, known.length))) this.#events.differs();
    this.#position += known.length;
    await this.#events.take(chunk);
  }
}

function layingFor(run: SourceTry, { begin, unsized }: TryFile): LayingSink {
  return new LayingSink(async (head) => {
    const ground = await begin(head);
    if (ground === undefined) {
      await unsized.begin();
      return (chunk) => unsized.write(chunk);
    }
    const claim = ground.board.claim(run.state.index, Infinity);
    if (claim !== undefined) {
      ground.board.extend(claim);
      run.begin(ground, claim, 0);
    }
    return (chunk) => run.take(ground, chunk);
  });
}

/** Waits for the layout also when the response breaks off right after its head, so that the claim is released. */
async function readLaying(run: SourceTry, request: ReadRequest, sink: ByteSink, laying: LayingSink): Promise<void> {
  try {
    await run.read(request, sink);
  } finally {
    await laying.laid;
  }
}

type Take = (chunk: Uint8Array) => void | Promise<void>;

/** Takes a response from its first byte; the file is laid out asynchronously after the head has arrived. */
class LayingSink implements ByteSink {
  readonly #lay: (head: ResponseHead) => Promise<Take>;
  #laying: Promise<void> | undefined;
  #take: Take | undefined;

  /** @param lay resolves with the function that takes the bytes */
  constructor(lay: (head: ResponseHead) => Promise<Take>) {
    this.#lay = lay;
  }

  /** Settles with the layout, which a response that breaks off does not wait for. */
  get laid(): Promise<void> | undefined {
    return this.#laying;
  }

  head(head: ResponseHead): void {
    this.#laying = this.#lay(head).then((take) => void (this.#take = take));
    // The caller awaits `laid`; this avoids an unhandled rejection if the response breaks off first.
    this.#laying.catch(() => undefined);
  }

  write(chunk: Uint8Array): void | Promise<void> {
    if (this.#take !== undefined) return this.#take(chunk);
    const copy = chunk.slice();
    return this.#laying!.then(() => this.#take!(copy));
  }
}
