import type { SwarmView } from '#contracts/swarm-view';

/** A picture of a swarm: rows of hosts, columns of pieces. A cell stands for one piece of one host, or for several of both. */
export interface SwarmPicture {
  readonly columns: number;
  readonly rows: number;
  /** Row by row: how much of the cell is there, 0 to 1. */
  readonly shares: Float32Array;
  /** Row by row: what is fetched by a lease. */
  readonly leased: readonly (LeaseFrom | undefined)[];
  /** The hosts of a row, for a label: the first and the last. */
  readonly hostsOf: (row: number) => readonly [first: SwarmView['hosts'][number], count: number];
}

type LeaseFrom = SwarmView['leases'][number]['from'];

/**
 * Which pieces a host has, from a text of the API: `all`, or one bit for each piece, lowest bit first, in base64url.
 *
 * @returns one byte for each piece: 1 where it is there
 */
export function piecesOf(have: string, pieces: number): Uint8Array {
  const held = new Uint8Array(pieces);
  if (have === 'all') return held.fill(1);
  const bits = atob(have.replaceAll('-', '+').replaceAll('_', '/'));
  for (let piece = 0; piece < pieces; piece += 1) held[piece] = ((bits.charCodeAt(piece >> 3) || 0) >> (piece & 7)) & 1;
  return held;
}

/**
 * @param mostColumns cells that fit beside each other, and `mostRows` below each other
 */
export function swarmPicture(view: SwarmView, mostColumns: number, mostRows: number): SwarmPicture {
  const { hosts, pieces } = view;
  const columns = Math.max(1, Math.min(pieces, mostColumns));
  const rows = Math.max(1, Math.min(hosts.length, mostRows));
  const shares = new Float32Array(columns * rows);
  const sizes = new Float32Array(columns * rows);
  const columnOf = Uint32Array.from({ length: pieces }, (_, piece) => Math.floor((piece * columns) / pieces));
  const rowOf = (index: number): number => Math.floor((index * rows) / hosts.length);
  hosts.forEach(({ have }, index) => {
    const held = piecesOf(have, pieces);
    const first = rowOf(index) * columns;
    for (let piece = 0; piece < pieces; piece += 1) {
      shares[first + columnOf[piece]!]! += held[piece]!;
      sizes[first + columnOf[piece]!]! += 1;
    }
  });
  for (let cell = 0; cell < shares.length; cell += 1) shares[cell]! /= Math.max(1, sizes[cell]!);
  const leased: (LeaseFrom | undefined)[] = Array(shares.length).fill(undefined);
  const indexOf = new Map(hosts.map(({ host }, index) => [host, index]));
  for (const { host, piece, from } of view.leases)
    leased[rowOf(indexOf.get(host) ?? 0) * columns + columnOf[piece]!] = from;
  const hostsOf = (row: number) => {
    const first = Math.ceil((row * hosts.length) / rows);
    const end = Math.ceil(((row + 1) * hosts.length) / rows);
    return [hosts[first]!, end - first] as const;
  };
  return { columns, rows, shares, leased, hostsOf };
}
