import { SourceError, VerifyError, type VerifyFailureKind } from '#core/failure';
import { CORRUPT_REST_MS, PAGE_REST_MS } from '#core/policy';
import { leafCid } from '#content/leaf/leaf-block';
import { FRAMING } from '#content/leaf/leaf-table';
import type { SourceState } from '../run/source-state.ts';
import type { SpanBoard } from '../plan/span-board.ts';

/** Different sources that must have sent a bad leaf before the leaf itself is given up. */
const SOURCES_AGAINST_A_LEAF = 3;

/**
 * One leaf of the table cannot be had as the table describes it. A leaf whose frame was only guessed can be
 * repaired (`#content/leaf/leaf-repair`) and the transfer run again with the new table: nothing proven is lost.
 */
export class LeafError extends VerifyError {
  readonly leafIndex: number;

  constructor(kind: VerifyFailureKind, leafIndex: number, message: string) {
    super(kind, message);
    this.leafIndex = leafIndex;
  }
}

/**
 * Keeps the source from sending this leaf again, and counts it against the source.
 *
 * @param head first bytes of what came
 * @param isFirst the leaf is the first of its response
 * @throws SourceError when the source is not believed any more, or sent a web page
 * @throws LeafError `leaf-unobtainable` when three sources sent other bytes for it
 */
export function judgeBadLeaf(
  board: SpanBoard,
  state: SourceState,
  unit: number,
  head: Uint8Array,
  isFirst: boolean,
): void {
  const { name } = state.source;
  const sources = board.exclude(unit, state.index);
  const isNotBelieved = state.strike();
  const restOfGateway = (retryAfterMs: number) => (state.source.kind === 'ipfs-gateway' ? { retryAfterMs } : {});
  if (isFirst && looksLikeWebPage(head))
    throw new SourceError('bad-response', name, 'it answered with a web page', restOfGateway(PAGE_REST_MS));
  if (sources >= SOURCES_AGAINST_A_LEAF) {
    const cid = leafCid(board.grid.table!, unit) ?? `number ${unit}`;
    const message = `${sources} sources sent other bytes for leaf ${cid} at ${board.grid.start(unit)}`;
    throw new LeafError('leaf-unobtainable', unit, message);
  }
  if (isNotBelieved) {
    const message = `${state.badLeaves} of ${state.leavesSeen} leaves were corrupt`;
    const rest = mayBeWrongGuess(board, unit) ? {} : restOfGateway(CORRUPT_REST_MS);
    throw new SourceError('digest-mismatch', name, message, rest);
  }
}

/** As long as no leaf is proven, a guessed frame may be what is wrong, and an honest gateway is needed to find out. */
const mayBeWrongGuess = ({ grid, doneBytes }: SpanBoard, unit: number): boolean =>
  doneBytes === 0 && grid.table?.framing[unit] === FRAMING.pbUnknown;

function looksLikeWebPage(head: Uint8Array): boolean {
  const text = Buffer.from(head.subarray(0, 64)).toString('latin1').trimStart().toLowerCase();
  return text.startsWith('<!doctype') || text.startsWith('<html');
}
