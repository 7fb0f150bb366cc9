import { exponentialMs, jitteredMs } from './async/exponential-pause.ts';
import type { SourceFailureKind } from './failure.ts';
import type { Layer } from './layer.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from './units.ts';

/** How long and how often one layer is tried. Every number is configuration; these are the defaults. */
export interface Budget {
  /** Tries in a row at one source that commit nothing, the first included. */
  readonly triesPerSource: number;
  /** Tries in a row at one source that end in a lost connection. */
  readonly connectionTriesPerSource: number;
  /** Pause before the second try; doubles for each further one; milliseconds. */
  readonly backoffBaseMs: number;
  readonly backoffMaxMs: number;
  /** Longest Retry-After that is waited for; beyond it another source is asked. */
  readonly retryAfterMaxMs: number;
  /** Changes of source because of corrupt bytes, before the layer is left. Only for bytes that nothing proves piece by piece. */
  readonly corruptionSwitches: number;
}

const STANDARD: Budget = {
  triesPerSource: 3,
  connectionTriesPerSource: 3,
  backoffBaseMs: SECOND_MS,
  backoffMaxMs: 4 * SECOND_MS,
  retryAfterMaxMs: MINUTE_MS,
  corruptionSwitches: 2,
};

export const DEFAULT_BUDGETS: Readonly<Record<Layer, Budget>> = {
  cache: { ...STANDARD, triesPerSource: 1 },
  ipfs: STANDARD,
  origin: { ...STANDARD, backoffBaseMs: 2 * SECOND_MS, backoffMaxMs: 8 * SECOND_MS },
  bundled: { ...STANDARD, triesPerSource: 2 },
  peer: { ...STANDARD, triesPerSource: 2 },
};

/** Pause of a gateway that answered with a web page, such as a captcha or an error (docs/rules/ipfs.md). */
export const PAGE_REST_MS = 10 * MINUTE_MS;
/** Pause of a gateway that was dropped because it sent corrupt leaves. */
export const CORRUPT_REST_MS = HOUR_MS;

/** Pauses of a download that no source could be reached for, until the first and between the later attempts; milliseconds. */
const SOURCE_WAIT = { firstMs: 10 * SECOND_MS, longestMs: 10 * MINUTE_MS };
/** How long a download waits for its sources, unless its request says otherwise. */
export const DEFAULT_DEADLINE_MS = DAY_MS;

/** Attempts of one download before it is `failed`; a resume by a person starts the count again. */
export const MAX_ATTEMPTS = 3;

export type Decision =
  /** The same source may be asked again after the pause; others go on meanwhile. */
  | { readonly do: 'retry-same'; readonly afterMs: number; readonly reason: string }
  /** Leave the source to the others; `again` says whether it may come back in this download. */
  | { readonly do: 'next-source'; readonly again: boolean; readonly reason: string }
  | { readonly do: 'next-layer'; readonly reason: string }
  | { readonly do: 'stop'; readonly reason: string };

/** What happened so far, as far as a decision needs it. */
export interface TryHistory {
  /** Failures in a row at this source since it last committed a byte; at least 1: the one being decided. */
  readonly failuresInARow: number;
  /** Changes of source because of corrupt bytes in this layer, the one being decided included. */
  readonly corruptionSwitches: number;
  /** Other sources of the layer that may still be asked. */
  readonly otherSources: number;
  /** Another layer has a source that may still be asked. */
  readonly hasOtherLayer: boolean;
}

export interface FailureFacts {
  readonly kind: SourceFailureKind;
  readonly retryAfterMs?: number | undefined;
}

type Rule = (failure: FailureFacts, history: TryHistory, budget: Budget, random: number) => Decision;

const leave: Rule = ({ kind }) => ({ do: 'next-source', again: false, reason: kind });

const RULES: Readonly<Record<SourceFailureKind, Rule>> = {
  aborted: () => ({ do: 'stop', reason: 'stopped by us' }),
  throttled: afterThrottle,
  'timed-out': retryOrLeave,
  'too-slow': retryOrLeave,
  'server-error': retryOrLeave,
  unreachable: afterLostConnection,
  interrupted: afterLostConnection,
  'digest-mismatch': afterCorruption,
  missing: leave,
  forbidden: leave,
  'range-refused': leave,
  'bad-response': leave,
  'size-mismatch': leave,
  'address-refused': leave,
};

/**
 * Decides what follows a failed try. Pure: `random` (0 <= r < 1) spreads the pauses so that a fleet does not
 * return in step ("full jitter" between half and the whole of the exponential pause).
 */
export const decide: Rule = (failure, history, budget, random) => RULES[failure.kind](failure, history, budget, random);

/** Another source is asked at once; after too many corrupt sources the layer is left. */
function afterCorruption(_failure: FailureFacts, { corruptionSwitches }: TryHistory, budget: Budget): Decision {
  return corruptionSwitches > budget.corruptionSwitches
    ? { do: 'next-layer', reason: `corrupt bytes from ${corruptionSwitches} sources of this layer` }
    : { do: 'next-source', again: false, reason: 'it sent corrupt bytes' };
}

function retryOrLeave({ kind: reason }: FailureFacts, history: TryHistory, budget: Budget, random: number): Decision {
  if (history.failuresInARow >= budget.triesPerSource)
    return { do: 'next-source', again: false, reason: `${reason}, ${history.failuresInARow} times in a row` };
  return { do: 'retry-same', afterMs: backoffMs(history.failuresInARow, budget, random), reason };
}

/**
 * Another source continues at once; this source may be asked again until its tries are used up. Its Retry-After is
 * waited for only where no other layer could answer instead.
 */
function afterLostConnection(failure: FailureFacts, history: TryHistory, budget: Budget, random: number): Decision {
  const reason = failure.kind;
  if (history.failuresInARow >= budget.connectionTriesPerSource)
    return { do: 'next-source', again: false, reason: `${reason}, ${history.failuresInARow} times in a row` };
  if (history.otherSources > 0) return { do: 'next-source', again: true, reason };
  const restMs = history.hasOtherLayer ? 0 : Math.min(budget.retryAfterMaxMs, failure.retryAfterMs ?? 0);
  return { do: 'retry-same', afterMs: Math.max(restMs, backoffMs(history.failuresInARow, budget, random)), reason };
}

function afterThrottle(failure: FailureFacts, history: TryHistory, budget: Budget, random: number): Decision {
  const asked = failure.retryAfterMs;
  if (asked === undefined) return retryOrLeave(failure, history, budget, random);
  if (asked > budget.retryAfterMaxMs)
    return {
      do: 'next-source',
      again: false,
      reason: `throttled for ${Math.round(asked / SECOND_MS)} s, longer than we wait`,
    };
  if (history.failuresInARow >= budget.triesPerSource)
    return { do: 'next-source', again: false, reason: `throttled, ${history.failuresInARow} times in a row` };
  return { do: 'retry-same', afterMs: asked, reason: 'throttled, it said when to return' };
}

/**
 * @param failuresInARow at least 1
 * @returns milliseconds before the next try: base × 2^(n−1), capped, then between half and all of it
 */
export function backoffMs(failuresInARow: number, budget: Budget, random: number): number {
  return jitteredMs(exponentialMs(budget.backoffBaseMs, failuresInARow, budget.backoffMaxMs), random);
}

const PASSING: ReadonlySet<SourceFailureKind> = new Set<SourceFailureKind>([
  'unreachable',
  'interrupted',
  'timed-out',
  'too-slow',
  'throttled',
  'server-error',
]);

/** Reasons that time may heal: only they are worth another attempt of the job. */
export const mayPass = (kind: SourceFailureKind): boolean => PASSING.has(kind);

/**
 * True when every source that was asked failed for a reason that time may heal: an outage of the sources or of the network, and
 * not an attempt if no byte arrived either. Without any failure no source is configured, which no wait changes.
 */
export const isOutage = (failures: readonly { readonly kind: SourceFailureKind }[]): boolean =>
  failures.length > 0 && failures.every(({ kind }) => mayPass(kind));

/**
 * @param waitsInARow waits of the download without a byte in between, the coming one included; at least 1
 * @param random 0 <= random < 1
 * @returns milliseconds until the sources are asked again
 */
export const sourceWaitMs = (waitsInARow: number, random: number): number =>
  jitteredMs(exponentialMs(SOURCE_WAIT.firstMs, waitsInARow, SOURCE_WAIT.longestMs), random);

/**
 * Whether an interrupted partial that nothing proves piece by piece is worth continuing.
 * Verified bytes are always kept; this is only for unproven ones.
 */
export const keepsUnprovenPartial = (doneBytes: number, totalBytes: number): boolean => doneBytes * 2 >= totalBytes;
