import type { SourceState } from '../run/source-state.ts';
import { NO_SOURCE, type SpanBoard } from '../plan/span-board.ts';

export interface Suspects {
  /** The one source that certainly sent corrupt bytes, because all bytes are its own. */
  readonly culprit: SourceState | undefined;
  /** Whose bytes stay: the rest is fetched from it alone, so that the next digest is a verdict about it. */
  readonly trusted: SourceState | undefined;
  /** Whether what came from this origin is fetched again. */
  readonly isSuspect: (origin: number) => boolean;
  readonly summary: { readonly culprit: string | undefined; readonly trusted: string | undefined };
}

/**
 * Draws the consequence of a whole digest that differs, from who gave which pieces (HR6). A file of one source
 * convicts it. A file of several keeps the largest share and fetches only the others' pieces again, from the
 * owner of that share: then either the digest is right, or that source is convicted.
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

/** Pieces by origin; a body of unknown length has one origin, the only source whose bytes are committed. */
function sharesOf(
  board: SpanBoard | undefined,
  originOf: (unit: number) => number,
  states: readonly SourceState[],
): Map<number, number> {
  const shares = new Map<number, number>();
  if (board === undefined) {
    const giver = states.find((state) => state.committedBytes > 0 && !state.isLeft);
    return shares.set(giver?.index ?? NO_SOURCE, 1);
  }
  for (let unit = 0; unit < board.grid.count; unit += 1) {
    const origin = originOf(unit);
    shares.set(origin, (shares.get(origin) ?? 0) + 1);
  }
  return shares;
}
