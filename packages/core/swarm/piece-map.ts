import { MIB } from '../units.ts';

const LEAST_PIECE_BYTES = MIB;
const MOST_PIECE_BYTES = 16 * MIB;
/** A file has about this many pieces: few enough to describe, enough that the last piece does not decide how long a swarm takes. */
const WANTED_PIECES = 256;
/** Of a file with more pieces than this (256 GiB) the pieces are longer, so that a map fits into a header. */
const MOST_PIECES = 16_384;

/**
 * Length of one piece: the part of a file that hosts offer each other and divide between them. The same on every host, because it follows
 * from the length of the file alone.
 *
 * @param sizeBytes length of the file
 * @returns a power of two
 */
export function pieceBytesOf(sizeBytes: number): number {
  const wanted = 2 ** Math.ceil(Math.log2(Math.max(1, sizeBytes / WANTED_PIECES)));
  const usual = Math.min(MOST_PIECE_BYTES, Math.max(LEAST_PIECE_BYTES, wanted));
  return Math.max(usual, 2 ** Math.ceil(Math.log2(Math.max(1, sizeBytes / MOST_PIECES))));
}

const ALL = 'all';

/** Where the leaves of a file begin; a leaf table is one. */
export interface LeafStarts {
  readonly sizeBytes: number;
  readonly count: number;
  /** Position of each leaf. */
  readonly starts: ArrayLike<number>;
}

/** The pieces that a host has of one file. Piece i begins at i times the piece length; a leaf belongs to the piece in which it begins. */
export class PieceMap {
  readonly pieceBytes: number;
  readonly count: number;
  readonly #bits: Uint8Array;

  constructor(sizeBytes: number) {
    this.pieceBytes = pieceBytesOf(sizeBytes);
    this.count = Math.ceil(sizeBytes / this.pieceBytes);
    this.#bits = new Uint8Array(Math.ceil(this.count / 8));
  }

  /** @param isDone whether a leaf is here and verified */
  static of(table: LeafStarts, isDone: (leaf: number) => boolean): PieceMap {
    const map = new PieceMap(table.sizeBytes);
    for (let piece = 0; piece < map.count; piece += 1) map.add(piece);
    for (let leaf = 0; leaf < table.count; leaf += 1) if (!isDone(leaf)) map.#remove(map.pieceAt(table.starts[leaf]!));
    return map;
  }

  /**
   * Reads the map of another host.
   *
   * @returns undefined for a text that is no map of a file of this length
   */
  static parse(text: string, sizeBytes: number): PieceMap | undefined {
    const map = new PieceMap(sizeBytes);
    if (text === ALL) {
      for (let piece = 0; piece < map.count; piece += 1) map.add(piece);
      return map;
    }
    if (!/^[A-Za-z0-9_-]*$/.test(text) || text.length !== Math.ceil((map.#bits.length * 4) / 3)) return undefined;
    map.#bits.set(Buffer.from(text, 'base64url'));
    return map;
  }

  /** One bit for each piece, lowest bit first, in base64url without padding; `all` for all of them. */
  toString(): string {
    return this.isComplete ? ALL : Buffer.from(this.#bits).toString('base64url');
  }

  /** One digit for each piece: 1 for those that are here. */
  get digits(): string {
    return Array.from({ length: this.count }, (_, piece) => (this.has(piece) ? '1' : '0')).join('');
  }

  /** @param digits as many as the file has pieces; further ones do not count */
  static ofDigits(digits: string, sizeBytes: number): PieceMap {
    const map = new PieceMap(sizeBytes);
    for (let piece = 0; piece < map.count; piece += 1) if (digits[piece] === '1') map.add(piece);
    return map;
  }

  has = (piece: number): boolean => piece < this.count && (this.#bits[piece >> 3]! & (1 << (piece & 7))) !== 0;

  add(piece: number): void {
    this.#bits[piece >> 3]! |= 1 << (piece & 7);
  }

  /** The piece that a position of the file lies in. */
  pieceAt = (position: number): number => Math.floor(position / this.pieceBytes);

  get heldCount(): number {
    let count = 0;
    for (let piece = 0; piece < this.count; piece += 1) if (this.has(piece)) count += 1;
    return count;
  }

  get isComplete(): boolean {
    return this.heldCount === this.count;
  }

  #remove(piece: number): void {
    this.#bits[piece >> 3]! &= ~(1 << (piece & 7));
  }
}
