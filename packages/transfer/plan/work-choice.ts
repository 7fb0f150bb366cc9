import { isLaggard, median, MIN_SPAN_BYTES, spanBytesFor } from '#core/bytes/span-plan';
import { SECOND_MS } from '#core/units';
import { readmitsParts } from './missing-parts.ts';
import type { FileShare } from '../report/transfer-options.ts';
import type { SourceState } from '../run/source-state.ts';
import type { Ground, SourceTry } from '../run/source-try.ts';
import type { Claim, SpanBoard } from './span-board.ts';

/** What `chooseWork` decides from. */
export interface WorkSituation {
  readonly ground: Ground;
  /** Sources that may be asked now or later. */
  readonly joined: readonly SourceState[];
  readonly running: readonly SourceTry[];
  /** False when neither a digest nor leaves prove the bytes: then they come from one source, in one stream. */
  readonly isProvable: boolean;
  /** Divides the file between hosts. */
  readonly share: FileShare | undefined;
  readonly now: number;
}

/** A try younger than this keeps its span: a new request would take about as long. */
const LEAST_AGE_MS = SECOND_MS;

/** A head is late after this many times the latency of its source. */
const LATE_HEADS = 3;

/**
 * Chooses what the source fetches next: free units first, and in the end-game a part of what other tries are fetching.
 *
 * @returns undefined when there is no work for it now
 */
export function chooseWork(state: SourceState, situation: WorkSituation): Claim | undefined {
  const { board } = situation.ground;
  if (!situation.isProvable) return mayContinue(state, situation) ? board.claim(state.index, Infinity) : undefined;
  if (state.mode === 'stream' && !isLastResort(state, situation)) return undefined;
  return chooseFree(state, situation) ?? shareOfRunning(state, situation);
}

/** Units that no try is fetching. */
function chooseFree(state: SourceState, situation: WorkSituation): Claim | undefined {
  const { ground, share } = situation;
  const bytes = Math.min(plannedBytes(state, situation), share?.spanBytes ?? Infinity);
  const rank = state.source.holds === undefined ? undefined : share?.turns.rarity;
  return ground.board.claim(state.index, bytes, rank) ?? workSetAside(state, ground.board, bytes);
}

/**
 * Chooses the peer that is asked next where hosts divide a file, and what it is asked for: free units of any of them go before the end-game.
 *
 * @param mayStart whether a source may be asked now
 * @returns undefined when no peer has work now, or as many requests run as should
 */
export function choosePeer(
  mayStart: (state: SourceState) => boolean,
  situation: WorkSituation & { readonly share: FileShare },
): { readonly state: SourceState; readonly claim: Claim } | undefined {
  const { busyness, mostBusy, mostRequests } = situation.share.turns;
  const toPeers = situation.running.filter(({ state }) => state.source.holds !== undefined).length;
  // However many connections other sources get, a peer is asked beside them.
  const requests = toPeers + Math.min(1, situation.running.length - toPeers);
  if (requests >= mostRequests) return undefined;
  const ordered = situation.joined
    .filter((state) => state.source.holds !== undefined && mayStart(state))
    .map((state) => ({ state, busy: Math.max(busyness(state.source.name), state.connections), tie: Math.random() }))
    .filter(({ busy }) => toPeers === 0 || busy <= mostBusy)
    .sort((a, b) => a.state.connections - b.state.connections || a.busy - b.busy || a.tie - b.tie);
  for (const choose of [chooseFree, shareOfRunning])
    for (const { state } of ordered) {
      const claim = choose(state, situation);
      if (claim !== undefined) return { state, claim };
    }
  return undefined;
}

/** Unproven bytes are continued only by the source that sent their beginning, unless it showed no version of them. */
function mayContinue(state: SourceState, { ground, joined, running }: WorkSituation): boolean {
  if (running.length > 0) return false;
  const beginner = joined.find(({ index }) => index === ground.board.originOf(0));
  return beginner === undefined || beginner === state || beginner.validator === undefined;
}

/** When nothing else can be fetched from a source that holds parts, the blocks that it probably does not have are tried. */
function workSetAside(state: SourceState, board: SpanBoard, bytes: number): Claim | undefined {
  return state.mode === 'blocks' && readmitsParts(board, state) ? board.claim(state.index, bytes) : undefined;
}

function plannedBytes(state: SourceState, { ground, joined, now }: WorkSituation): number {
  const ready = joined.filter((one) => one.pausedUntil <= now);
  const connections = ready.reduce((sum, one) => sum + Math.max(1, one.connections), state.connections > 0 ? 1 : 0);
  const { requestsPerMinute = Infinity, requestsPerMinutePerCid = Infinity } = state.source.capabilities();
  const allowed = Math.min(requestsPerMinute, requestsPerMinutePerCid);
  return spanBytesFor({
    bytesPerSecond: state.connectionRate(now),
    freeBytes: ground.board.freeBytes,
    connections: Math.max(1, connections),
    requestsPerMinute: allowed === Infinity ? undefined : allowed,
  });
}

/** A source without ranges sends the whole file: it is used only when no other source can continue. */
function isLastResort(state: SourceState, { ground, joined, running }: WorkSituation): boolean {
  if (running.length > 0) return false;
  return !joined.some((one) => one !== state && one.mode !== 'stream' && ground.board.hasWorkFor(one.index));
}

/** End-game, when no unit is free: duplicates the rest of a slow or stalled span, or takes half of a long one. */
function shareOfRunning(state: SourceState, { ground, joined, running, share, now }: WorkSituation): Claim | undefined {
  const { board } = ground;
  const usual = median(joined.flatMap((one) => one.usualRate ?? []));
  const leastAgeMs = leastAgeOf(share);
  const isFar = share?.turns.isFar(state.source.name) === true;
  const since = ({ startedAt, meter }: SourceTry): number => now - (isFar ? meter.lastByteAt : startedAt);
  for (const run of running) {
    const { claim } = run;
    if (claim === undefined || run.mode === 'blocks' || since(run) < leastAgeMs) continue;
    // A further connection of the same source also takes its share of a long span, which was planned for one connection.
    const isOwn = run.state === state;
    if (isOwn && !hasRanges(state)) continue;
    const bytesPerSecond = run.meter.rate(now);
    const isSlow = isLaggard({ bytesPerSecond, idleMs: now - run.meter.lastByteAt }, usual);
    const mayRepeat = isSlow && (!isOwn || isQueued(run, now));
    const part = mayRepeat ? duplicateOnce(board, claim, state) : halfOfLong(board, claim, state, bytesPerSecond);
    if (part !== undefined) return part;
  }
  return undefined;
}

const leastAgeOf = (share: FileShare | undefined): number => share?.turns.patienceMs ?? LEAST_AGE_MS;

const hasRanges = ({ source }: SourceState): boolean => source.capabilities().range === true;

/** The source may serve its connections one after the other: then this one waits for another one to end. */
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
