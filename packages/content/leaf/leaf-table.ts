/** How a leaf's bytes are framed in the block whose digest the DAG holds (docs/rules/ipfs.md). */
export const FRAMING = {
  /** The block is the bytes (codec raw). */
  raw: 0,
  /** dag-pb around UnixFS Type=File (2). */
  pbFile: 1,
  /** dag-pb around UnixFS Type=Raw (0), as trickle builders make it. */
  pbRaw: 2,
  /** dag-pb, type not known yet: either of the two must match. */
  pbUnknown: 3,
  /** dag-pb framed in an unusual way (mode, mtime): the frame stands in `frames`. */
  pbOther: 4,
} as const;

/** What stands before and after a leaf's bytes in its block. */
export interface LeafFrame {
  readonly pre: Uint8Array;
  readonly post: Uint8Array;
}

export type Framing = (typeof FRAMING)[keyof typeof FRAMING];

/**
 * (offset, length, digest) of every leaf of a file, built from verified inner DAG nodes only. Flat typed
 * arrays: a 40 GiB file of 256 KiB leaves takes about 7 MB.
 */
export interface LeafTable {
  /** Root as CIDv1 in base32, the form for caches and peers. */
  readonly rootCid: string;
  readonly sizeBytes: number;
  readonly count: number;
  /** `count + 1` positions: leaf i is `[starts[i], starts[i + 1])`; the last entry is `sizeBytes`. */
  readonly starts: Float64Array;
  /** Multihash code of the leaf digests; one for the whole table. */
  readonly hashCode: number;
  readonly digestBytes: number;
  /** `count * digestBytes` bytes. */
  readonly digests: Uint8Array;
  /** One FRAMING value per leaf. */
  readonly framing: Uint8Array;
  /** Leaves whose bytes the DAG itself carries (identity CIDs, inline data): nothing to fetch. */
  readonly known: ReadonlyMap<number, Uint8Array>;
  /** Frames of the leaves whose framing is `pbOther`; undefined when there are none. */
  readonly frames?: ReadonlyMap<number, LeafFrame> | undefined;
}
