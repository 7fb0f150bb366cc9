import { isLaggard, median, MIN_SPAN_BYTES, spanBytesFor } from '#core/span-plan';
import { SECOND_MS } from '#core/units';
import { readmitsParts } from './missing-parts.ts';
import type { SourceState } from '../run/source-state.ts';
import type { Ground, SourceTry } from '../run/source-try.ts';
import type { Claim, SpanBoard } from './span-board.ts';

/** What there is to know when a source asks for work. */
export interface WorkSituation {
  readonly ground: Ground;
  /** Sources that may be asked now or later. */
  readonly joined: readonly SourceState[];
  readonly running: readonly SourceTry[];
  /** False when nothing will ever prove the bytes: then they come from one source, in one stream. */
  readonly isProvable: boolean;
  readonly now: number;
}

/** A span shorter than this is left to whoever began it: a new request takes about as long. */
const LEAST_AGE_MS = SECOND_MS;

/** A head that takes this many times as long as the last one of its source is late. */
const LATE_HEADS = 3;

/**
 * What the source should fetch next: free units first, and in the end-game a part of what others are fetching.
 *
 * @returns undefined when there is nothing for it now
 */
export function chooseWork(state: SourceState, situation: WorkSituation): Claim | undefined {
  const { board } = situation.ground;
  if (!situation.isProvable) return mayGoOn(state, situation) ? board.claim(state.index, Infinity) : undefined;
  if (state.mode === 'stream' && !isLastResort(state, situation)) return undefined;
  const bytes = plannedBytes(state, situation);
  return board.claim(state.index, bytes) ?? workSetAside(state, board, bytes) ?? workOfOthers(state, situation);
}

/** HR6: bytes that nothing proves are left to the source that gave their beginning, as long as it may show that it still has them. */
function mayGoOn(state: SourceState, { ground, joined, running }: WorkSituation): boolean {
  if (running.length > 0) return false;
  const giver = joined.find(({ index }) => index === ground.board.originOf(0));
  return giver === undefined || giver === state || giver.validator === undefined;
}

/** A source of parts that has nothing else to do is asked for what it probably does not have. */
function workSetAside(state: SourceState, board: SpanBoard, bytes: number): Claim | undefined {
  return state.mode === 'blocks' && readmitsParts(board, state) ? board.claim(state.index, bytes) : undefined;
}

function plannedBytes(state: SourceState, { ground, joined, now }: WorkSituation): number {
  const ready = joined.filter((one) => one.pausedUntil <= now);
  const connections = ready.reduce((sum, one) => sum + Math.max(1, one.lanes), state.lanes > 0 ? 1 : 0);
  const { requestsPerMinute = Infinity, requestsPerMinutePerCid = Infinity } = state.source.capabilities();
  const allowed = Math.min(requestsPerMinute, requestsPerMinutePerCid);
  return spanBytesFor({
    bytesPerSecond: state.connectionRate(now),
    freeBytes: ground.board.freeBytes,
    connections: Math.max(1, connections),
    requestsPerMinute: allowed === Infinity ? undefined : allowed,
  });
}

/** A source without ranges sends the whole file: it is used only when nobody else can go on. */
function isLastResort(state: SourceState, { ground, joined, running }: WorkSituation): boolean {
  if (running.length > 0) return false;
  return !joined.some((one) => one !== state && one.mode !== 'stream' && ground.board.hasWorkFor(one.index));
}

/** End-game: nothing is free, so the rest of a slow or stalled span is duplicated, or half of a long one taken. */
function workOfOthers(state: SourceState, { ground, joined, running, now }: WorkSituation): Claim | undefined {
  const { board } = ground;
  const usual = median(joined.flatMap((one) => one.connectionRate(now) ?? []));
  for (const run of running) {
    const { claim } = run;
    if (claim === undefined || run.mode === 'blocks' || now - run.startedAt < LEAST_AGE_MS) continue;
    // A further connection of the same source takes its share of a long span, too: the first one was planned alone.
    const isOwn = run.state === state;
    if (isOwn && state.source.capabilities().range !== true) continue;
    const bytesPerSecond = run.meter.rate(now);
    const isSlow = isLaggard({ bytesPerSecond, idleMs: now - run.meter.lastByteAt }, usual);
    const mayRepeat = isSlow && (!isOwn || isQueued(run, now));
    const share = mayRepeat ? duplicateOnce(board, claim, state) : halfOfLong(board, claim, state, bytesPerSecond);
    if (share !== undefined) return share;
  }
  return undefined;
}

/** A server that serves one connection after the other answers the second one only when the first is free again. */
const isQueued = ({ latencyMs, startedAt, state }: SourceTry, now: number): boolean =>
  latencyMs === undefined && now - startedAt > LATE_HEADS * (state.latencyMs ?? Infinity);

function duplicateOnce(board: SpanBoard, claim: Claim, state: SourceState): Claim | undefined {
  for (const other of board.claims) {
    if (other !== claim && other.duplicate && other.first < claim.end && other.end > claim.next) return undefined;
  }
  return board.duplicate(claim, state.index);
}

function halfOfLong(board: SpanBoard, claim: Claim, state: SourceState, bytesPerSecond: number): Claim | undefined {
  const isLong = board.remainingBytes(claim) > bytesPerSecond * 2 + 2 * MIN_SPAN_BYTES;
  return isLong ? board.split(claim, state.index, MIN_SPAN_BYTES) : undefined;
}
