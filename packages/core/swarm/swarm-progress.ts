export interface SwarmPieces {
  /** Of the file. */
  readonly pieces: number;
  readonly hosts: readonly { readonly heldPieces: number; readonly state: 'leeching' | 'seeding' }[];
}

/** How far a file has spread over the hosts of its swarm. */
export interface SwarmProgress {
  readonly heldPieces: number;
  /** Pieces that the hosts have when all of them are done; at least 1. */
  readonly allPieces: number;
  /** A whole number, rounded down. */
  readonly percent: number;
  readonly doneHosts: number;
}

export function swarmProgress({ pieces, hosts }: SwarmPieces): SwarmProgress {
  const heldPieces = hosts.reduce((sum, host) => sum + host.heldPieces, 0);
  const allPieces = Math.max(1, pieces * hosts.length);
  const percent = Math.floor((100 * heldPieces) / allPieces);
  return { heldPieces, allPieces, percent, doneHosts: hosts.filter(({ state }) => state === 'seeding').length };
}
