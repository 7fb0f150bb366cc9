import type { SourceState } from '../run/source-state.ts';
import { NO_SOURCE, type SpanBoard } from '../plan/span-board.ts';

export interface Suspects {
  /** The source that certainly sent corrupt bytes, because it sent all of them. */
  readonly culprit: SourceState | undefined;
  /** The source whose bytes stay. The rest is fetched from it alone, so that the next digest shows whether its bytes are correct. */
  readonly trusted: SourceState | undefined;
  /** Whether the bytes of this origin are fetched again. */
  readonly isSuspect: (origin: number) => boolean;
  readonly summary: { readonly culprit: string | undefined; readonly trusted: string | undefined };
}

/**
 * Decides from the origin of each piece what follows when the whole digest differs. If one source sent the whole file, it is the culprit. If
 * several did, the largest share stays and the other pieces are fetched again from the source of that share: then either the digest is
 * correct, or that source is the culprit.
 */
export function suspectsOf(
  board: SpanBoard | undefined,
  originOf: (unit: number) => number,
  states: readonly SourceState[],
): Suspects {
  const shares = sharesOf(board, originOf, states);
  const owners = [...shares.keys()];
  const only = owners.length === 1 ? states[owners[0]!] : undefined;
  if (only !== undefined) return suspects(only, undefined, () => true);
  const trusted = owners
    .flatMap((owner) => states[owner] ?? [])
    .filter((state) => !state.isLeft && state.mode !== 'blocks')
    .sort((a, b) => shares.get(b.index)! - shares.get(a.index)!)[0];
  return suspects(undefined, trusted, (origin) => origin !== trusted?.index);
}

const suspects = (
  culprit: SourceState | undefined,
  trusted: SourceState | undefined,
  isSuspect: (origin: number) => boolean,
): Suspects => ({
  culprit,
  trusted,
  isSuspect,
  summary: { culprit: culprit?.source.name, trusted: trusted?.source.name },
});

/** Number of pieces by origin; a body of unknown length has one origin, the only source with committed bytes. */
function sharesOf(
  board: SpanBoard | undefined,
  originOf: (unit: number) => number,
  states: readonly SourceState[],
): Map<number, number> {
  const shares = new Map<number, number>();
  if (board === undefined) {
    const sender = states.find((state) => state.committedBytes > 0 && !state.isLeft);
    return shares.set(sender?.index ?? NO_SOURCE, 1);
  }
  for (let unit = 0; unit < board.grid.count; unit += 1) {
    const origin = originOf(unit);
    shares.set(origin, (shares.get(origin) ?? 0) + 1);
  }
  return shares;
}
