import { setTimeout as pause } from 'node:timers/promises';
import type { BlockRequest, FetchBlock } from '#content/dag/verified-blocks';
import { SourceError } from '#core/failure';
import { decide, type Budget } from '#core/policy';
import type { Layer } from '#core/layer';
import type { Source } from '#core/source';
import { FailureLog } from './failure-log.ts';

interface BlockSource {
  readonly source: Source;
  readonly readBlock: NonNullable<Source['readBlock']>;
  bytes: number;
  /** Requests in flight. */
  open: number;
  failuresInARow: number;
  /** Blocks that this source sent with other bytes; after MAX_STRIKES it is not asked again. */
  strikes: number;
  /** Monotonic time until which the source is paused. */
  pausedUntilMs: number;
  dropped: boolean;
}

export interface BlockFetcherOptions {
  readonly budgets: Readonly<Record<Layer, Budget>>;
  readonly now: () => number;
  readonly random: () => number;
  /** Called for each failure of a source. */
  readonly onFailure?: ((error: SourceError) => void) | undefined;
}

const MAX_STRIKES = 3;

export interface BlockFetcher {
  /** Rejects with ExhaustedError when no source is left, or with the signal's reason. */
  readonly fetchBlock: FetchBlock;
  /** The source that gave the most bytes of verified blocks so far. */
  mainSource(): Source | undefined;
}

/**
 * Fetches single blocks from several untrusted sources at once. Each call goes to the source with the fewest open requests, so that
 * fast sources do more. After a wrong block or a failure the next source is asked; `decide` says which source is asked again, and when.
 *
 * @param sources in their configured order; sources without blocks are skipped
 */
export function blockFetcher(sources: readonly Source[], options: BlockFetcherOptions): BlockFetcher {
  const members = sources.flatMap((source) => (source.readBlock ? [memberOf(source, source.readBlock)] : []));
  const failures = new FailureLog();
  let turn = 0;
  const failed = (error: SourceError): void => {
    failures.addError(error);
    options.onFailure?.(error);
  };

  const fetchBlock: FetchBlock = async (cid, request) => {
    const excluded = new Set<BlockSource>();
    const first = turn++;
    for (;;) {
      request.signal.throwIfAborted();
      const member = await nextMember(members, excluded, first, options.now, request.signal);
      if (!member) throw failures.exhausted(`block ${cid}`);
      try {
        const bytes = await readFrom(member, cid, request);
        if (request.verify(bytes)) {
          member.failuresInARow = 0;
          member.bytes += bytes.length;
          return bytes;
        }
        excluded.add(member);
        failed(new SourceError('digest-mismatch', member.source.name, `sent other bytes for block ${cid}`));
        member.strikes += 1;
        member.dropped = member.strikes >= MAX_STRIKES;
      } catch (error) {
        if (!(error instanceof SourceError) || error.kind === 'aborted') throw error;
        failed(error);
        afterFailure(member, error, members, options);
        if (error.kind === 'missing') excluded.add(member);
      }
    }
  };
  const mainSource = (): Source | undefined =>
    members.reduce<BlockSource | undefined>(
      (most, member) => (member.bytes > (most?.bytes ?? 0) ? member : most),
      undefined,
    )?.source;
  return { fetchBlock, mainSource };
}

async function readFrom(member: BlockSource, cid: string, { maxBytes, signal }: BlockRequest): Promise<Uint8Array> {
  member.open += 1;
  try {
    return await member.readBlock(cid, maxBytes, signal);
  } finally {
    member.open -= 1;
  }
}

function memberOf(source: Source, readBlock: NonNullable<Source['readBlock']>): BlockSource {
  return { source, readBlock, bytes: 0, open: 0, failuresInARow: 0, strikes: 0, pausedUntilMs: 0, dropped: false };
}

/**
 * Chooses among the sources with the fewest open requests, in turn. Waits when all sources that are left are paused; undefined when no
 * source is left for this block.
 */
async function nextMember(
  members: readonly BlockSource[],
  excluded: ReadonlySet<BlockSource>,
  first: number,
  now: () => number,
  signal: AbortSignal,
): Promise<BlockSource | undefined> {
  const left = members
    .map((_, index) => members[(first + index) % members.length]!)
    .filter((member) => !member.dropped && !excluded.has(member));
  const ready = left.filter((member) => member.pausedUntilMs <= now());
  if (ready.length > 0) return ready.reduce((a, b) => (a.open <= b.open ? a : b));
  if (left.length === 0) return undefined;
  const soonest = left.reduce((a, b) => (a.pausedUntilMs <= b.pausedUntilMs ? a : b));
  await pause(Math.max(0, soonest.pausedUntilMs - now()), undefined, { signal });
  return soonest;
}

function afterFailure(
  member: BlockSource,
  error: SourceError,
  members: readonly BlockSource[],
  { budgets, now, random }: BlockFetcherOptions,
): void {
  member.failuresInARow += 1;
  const otherSources = members.filter((other) => other !== member && !other.dropped).length;
  const history = { failuresInARow: member.failuresInARow, corruptionSwitches: 0, otherSources, hasOtherLayer: false };
  const decision = decide(error, history, budgets[member.source.layer], random());
  if (decision.do === 'retry-same') member.pausedUntilMs = now() + decision.afterMs;
  else if (decision.do !== 'next-source' || !decision.again) member.dropped = error.kind !== 'missing';
}
