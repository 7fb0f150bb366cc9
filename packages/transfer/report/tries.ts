import { ExhaustedError, type SourceError, type SourceFailure } from '#core/failure';
import { nameOfLayer } from '#core/layer';
import { mayPass, type Decision } from '#core/policy';
import type { Grid } from '../plan/grid.ts';
import type { SourceState } from '../run/source-state.ts';
import type { SourceTry } from '../run/source-try.ts';
import type { TryRecord } from './transfer-options.ts';

/** Bounds the memory of a transfer with very many tries. */
const TRIES_KEPT = 1000;

/** The tries of one transfer: counts and reports each, keeps the last ones. */
export class TryLog {
  count = 0;
  readonly kept: TryRecord[] = [];
  readonly #onTry: ((record: TryRecord) => void) | undefined;

  constructor(onTry: ((record: TryRecord) => void) | undefined) {
    this.#onTry = onTry;
  }

  add(record: TryRecord): void {
    this.count += 1;
    this.kept.push(record);
    if (this.kept.length > TRIES_KEPT) this.kept.shift();
    this.#onTry?.(record);
  }
}

export interface TryEnding {
  readonly error: SourceError | undefined;
  readonly decision: Decision | undefined;
  readonly now: number;
}

export function recordOf(run: SourceTry, grid: Grid | undefined, { error, decision, now }: TryEnding): TryRecord {
  const { state, claim } = run;
  const hasRange = claim !== undefined && grid !== undefined && claim.end > claim.first;
  return {
    source: state.source.name,
    kind: state.source.kind,
    layer: nameOfLayer(state.source.layer),
    origin: state.source.origin,
    rankedBecause: state.rankedBecause,
    mode: run.mode,
    range: hasRange ? { start: grid.start(claim.first), end: grid.end(claim.end - 1) } : undefined,
    bytes: run.bytes,
    committedBytes: run.acceptedBytes,
    wastedBytes: run.wastedBytes,
    badLeaves: run.badLeaves,
    durationMs: now - run.startedAt,
    latencyMs: run.latencyMs,
    failure: error === undefined ? undefined : { kind: error.reasonKind, message: error.message },
    decision: decision?.do,
    reason: decision?.reason,
  };
}

/**
 * Names every source that failed and each kind of failure. A further attempt can help if one of the failures is temporary.
 *
 * @param refusedLeaves leaves that sources sent with wrong bytes only
 */
export function exhausted(
  what: string,
  states: readonly SourceState[],
  refusedLeaves: readonly number[] | undefined,
): ExhaustedError {
  const failures: SourceFailure[] = states.flatMap((state) =>
    [...failuresOf(state)].map(([kind, { message, count }]) => ({ source: state.source.name, kind, message, count })),
  );
  const mayHelp = failures.some((failure) => mayPass(failure.kind));
  return new ExhaustedError(what, failures, mayHelp, refusedLeaves);
}

/** Without another failure, a few bad leaves or missing blocks are the reason. */
function failuresOf({ failures, badLeaves, parts }: SourceState): SourceState['failures'] {
  if (failures.size > 0) return failures;
  if (badLeaves > 0)
    return new Map([['digest-mismatch', { message: 'it sent wrong bytes for a leaf', count: badLeaves }]]);
  if (parts.misses > 0) return new Map([['missing', { message: 'it does not have a block', count: parts.misses }]]);
  return failures;
}
