/** Where a leased piece is fetched: at the origin, or at hosts of other sites. */
export type LeaseFrom = 'origin' | 'site';

/** A piece that a host should fetch for the others. */
export interface PieceChoice {
  readonly piece: number;
  readonly from: LeaseFrom;
}

/** How often each piece is there, and which ones are being fetched by a lease. */
export interface PieceCounts {
  /** Hosts of the fleet that have the piece. */
  readonly holders: ArrayLike<number>;
  /** Hosts of the site of the asking host that have it. */
  readonly siteHolders: ArrayLike<number>;
  readonly originLeases: ReadonlySet<number>;
  /** Leases of the site on pieces that other sites have. */
  readonly siteLeases: ReadonlySet<number>;
}

/**
 * The pieces that a host may be leased now, the most urgent first. Pieces that no host has come first: they make the swarm wait for the origin. Then
 * pieces that only other sites have, those of the fewest hosts first. A piece that a host of the site has, or that is leased already, is not among them,
 * so that one copy leaves the origin and one enters each site. Ties are random, so that hosts that ask at the same time are given different pieces.
 *
 * @param has whether the asking host has a piece
 * @param most choices of each kind that are returned at most: however many pieces no host has, those of other sites come in meanwhile
 * @param random from 0 up to 1
 */
export function choosePieces(
  has: (piece: number) => boolean,
  { holders, siteHolders, originLeases, siteLeases }: PieceCounts,
  most: number,
  random: () => number,
): PieceChoice[] {
  const found: { piece: number; from: LeaseFrom; holders: number; tie: number }[] = [];
  for (let piece = 0; piece < holders.length; piece += 1) {
    if (siteHolders[piece] !== 0 || has(piece)) continue;
    const from = holders[piece] === 0 ? 'origin' : 'site';
    if (originLeases.has(piece) || (from === 'site' && siteLeases.has(piece))) continue;
    found.push({ piece, from, holders: holders[piece]!, tie: random() });
  }
  found.sort((a, b) => a.holders - b.holders || a.tie - b.tie);
  return (['origin', 'site'] as const)
    .flatMap((kind) => found.filter(({ from }) => from === kind).slice(0, most))
    .map(({ piece, from }) => ({ piece, from }));
}
