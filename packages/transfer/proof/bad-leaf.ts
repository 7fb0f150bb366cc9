import { SourceError, VerifyError, type VerifyFailureKind } from '#core/failure';
import { CORRUPT_REST_MS, PAGE_REST_MS } from '#core/policy';
import { leafCid } from '#content/leaf/leaf-block';
import { FRAMING } from '#content/leaf/leaf-table';
import type { SourceState } from '../run/source-state.ts';
import type { SpanBoard } from '../plan/span-board.ts';

/** After wrong bytes from this many different sources, the leaf itself fails the transfer. */
const SOURCES_AGAINST_A_LEAF = 3;

/**
 * A leaf cannot be fetched as the table describes it. If the frame of the leaf was guessed, the table can be repaired
 * (`#content/leaf/leaf-repair`) and the transfer run again; proven bytes are kept.
 */
export class LeafError extends VerifyError {
  readonly leafIndex: number;

  constructor(kind: VerifyFailureKind, leafIndex: number, message: string) {
    super(kind, message);
    this.leafIndex = leafIndex;
  }
}

/**
 * Excludes the source from this leaf, and counts the bad leaf for the source.
 *
 * @param head first bytes that the source sent
 * @param isFirst the leaf is the first of its response
 * @throws SourceError when the source sent too many bad leaves, or a web page
 * @throws LeafError `leaf-unobtainable` when three sources that are no peers sent wrong bytes for it
 */
export function judgeBadLeaf(
  board: SpanBoard,
  state: SourceState,
  unit: number,
  head: Uint8Array,
  isFirst: boolean,
): void {
  const { name } = state.source;
  const sources = excludedBy(board, state, unit);
  const hasTooManyStrikes = state.strike();
  const pauseOfGateway = (retryAfterMs: number) => (state.source.kind === 'ipfs-gateway' ? { retryAfterMs } : {});
  if (isFirst && looksLikeWebPage(head))
    throw new SourceError('bad-response', name, 'it answered with a web page', pauseOfGateway(PAGE_REST_MS));
  if (sources >= SOURCES_AGAINST_A_LEAF) {
    const cid = leafCid(board.grid.table!, unit) ?? `number ${unit}`;
    const message = `${sources} sources sent wrong bytes for leaf ${cid} at ${board.grid.start(unit)}`;
    throw new LeafError('leaf-unobtainable', unit, message);
  }
  if (hasTooManyStrikes) {
    const message = `${state.badLeaves} of ${state.leavesSeen} leaves were corrupt`;
    const pause = mayBeWrongGuess(board, unit) ? {} : pauseOfGateway(CORRUPT_REST_MS);
    throw new SourceError('digest-mismatch', name, message, pause);
  }
}

/** Peers do not count: any number of hosts may lie together, and that says nothing of the leaf. */
function excludedBy(board: SpanBoard, { source, index }: SourceState, unit: number): number {
  if (source.kind !== 'peer') return board.exclude(unit, index);
  board.withhold(unit, index);
  return 0;
}

/** While no leaf is proven, the guessed frame may be wrong rather than the bytes; the gateway is needed to find out. */
const mayBeWrongGuess = ({ grid, doneBytes }: SpanBoard, unit: number): boolean =>
  doneBytes === 0 && grid.table?.framing[unit] === FRAMING.pbUnknown;

function looksLikeWebPage(head: Uint8Array): boolean {
  const text = Buffer.from(head.subarray(0, 64)).toString('latin1').trimStart().toLowerCase();
  return text.startsWith('<!doctype') || text.startsWith('<html');
}
