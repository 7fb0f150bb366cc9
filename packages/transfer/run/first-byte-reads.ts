import { SourceError } from '#core/failure';
import type { ByteSink, ReadRequest, ResponseHead } from '#core/source';
import { SpanEnded } from '../proof/leaf-cutter.ts';
import { LayingSink } from '../disk/laying-sink.ts';
import type { Ground, SourceTry, TryFile } from './source-try.ts';
import type { SourceState } from './source-state.ts';
import type { Claim } from '../plan/span-board.ts';

/** What is on the disk. */
export interface FileLayout {
  /** Undefined as long as the length of the file is not known. */
  readonly laid: Ground | undefined;
  fileOf(state: SourceState): TryFile;
}

/**
 * Reads a response that may begin the file: where its length is not known yet, or nothing will prove its bytes. No ground is laid
 * afterwards when the response was of unknown length.
 *
 * @param claim of all that is missing; undefined when nothing is there
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

/** Opens a file whose size is not known yet. */
async function openWhole(run: SourceTry, file: TryFile): Promise<void> {
  const laying = layingFor(run, file);
  const head = (given: ResponseHead): void => {
    run.headArrived(given);
    laying.head(given);
  };
  await readLaying(run, {}, { head, write: (chunk) => laying.write(chunk) }, laying);
}

/**
 * Goes on with bytes that nothing will prove, or begins anew: with this very answer where it has the file from its start, and else
 * with the next one (HR3, HR6).
 *
 * @param at ground and claim of all that is missing; undefined when nothing is there
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
      run.begin(at.ground, at.claim, given.start === 0 ? 0 : at.claim.first);
      sink = { head: () => undefined, write: (chunk) => run.take(at.ground, chunk) };
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
    // More than the file holds came: what was kept is only its beginning.
    mustForget ||= error instanceof SourceError && error.kind === 'size-mismatch';
    throw error;
  } finally {
    if (mustForget) await file.forget();
  }
}

function restOf({ state }: SourceTry, { board }: Ground, claim: Claim, { pinnedBytes }: TryFile): ReadRequest {
  return {
    range: { start: board.grid.start(claim.first), end: board.grid.end(claim.end - 1) },
    sizeBytes: pinnedBytes,
    continues: { validator: state.validator },
  };
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

/** A response that breaks off right after its head leaves the claim that is being made to be released. */
async function readLaying(run: SourceTry, request: ReadRequest, sink: ByteSink, laying: LayingSink): Promise<void> {
  try {
    await run.read(request, sink);
  } finally {
    await laying.laid;
  }
}
