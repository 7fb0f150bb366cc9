import { concat, sameBytes } from '../cid/byte-reader.ts';
import { CODEC, cidText } from '../cid/cid-bytes.ts';
import { leafFrame } from './leaf-frame.ts';
import { FRAMING, type Framing, type LeafFrame, type LeafTable } from './leaf-table.ts';
import { hashFunction, type RunningHash } from '../digest/multihash.ts';

/** Bytes of a leaf, whole or in the pieces they arrived in. */
export type LeafBytes = Uint8Array | readonly Uint8Array[];

/** Which of the two dag-pb types last matched, per table and thread: the other leaves are the same. */
const lastMatch = new WeakMap<LeafTable, Framing>();

export const leafBytesAt = (table: LeafTable, index: number): number => table.starts[index + 1]! - table.starts[index]!;

/** The leaf that a position lies in; of a file that is not empty. */
export function leafAt(table: Pick<LeafTable, 'starts' | 'count'>, position: number): number {
  let [low, high] = [0, table.count];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (table.starts[middle]! <= position) low = middle;
    else high = middle;
  }
  return low;
}

/**
 * True when the bytes are leaf `index`. Works in any thread on plain table data; for BLAKE the thread must have
 * awaited `loadHash(table.hashCode)`.
 *
 * @param bytes exactly the leaf, in one piece or several; not changed, not kept
 */
export function verifyLeaf(table: LeafTable, index: number, bytes: LeafBytes): boolean {
  const pieces = ArrayBuffer.isView(bytes) ? [bytes] : bytes;
  if (pieces.reduce((sum, piece) => sum + piece.length, 0) !== leafBytesAt(table, index)) return false;
  const known = table.known.get(index);
  if (known !== undefined) return sameBytes(known, pieces.length === 1 ? pieces[0]! : concat(pieces));
  return framesToTry(table, index).some(({ framing, frame }) => {
    const right = digestMatches(table, index, digestOf(table.hashCode, frame, pieces));
    if (right) remember(table, index, framing);
    return right;
  });
}

/** @returns canonical CID of the leaf's block; undefined for bytes that the DAG carries itself, which have no block. */
export function leafCid(table: LeafTable, index: number): string | undefined {
  if (table.known.has(index)) return undefined;
  const codec = table.framing[index] === FRAMING.raw ? CODEC.raw : CODEC.dagPb;
  return cidText(
    codec,
    table.hashCode,
    table.digests.subarray(index * table.digestBytes, (index + 1) * table.digestBytes),
  );
}

export type UnwrappedLeaf =
  /** The leaf's bytes, verified; a view into the block. */
  | { readonly is: 'leaf'; readonly bytes: Uint8Array }
  /** Other bytes: the source is at fault. */
  | { readonly is: 'wrong' }
  /** The right block, but no leaf of this shape: give it to `repairOf`. */
  | { readonly is: 'unexpected-shape' };

/** Takes the leaf's bytes out of its block as a raw fetch gives it, verifying the block. */
export function unwrapLeafBlock(table: LeafTable, index: number, block: Uint8Array): UnwrappedLeaf {
  if (table.known.has(index)) return { is: 'wrong' };
  if (!digestMatches(table, index, hashFunction(table.hashCode).hash(block))) return { is: 'wrong' };
  const bytes = leafBytesAt(table, index);
  for (const { framing, frame } of framesToTry(table, index)) {
    const end = frame.pre.length + bytes;
    if (block.length !== end + frame.post.length) continue;
    if (!sameBytes(block.subarray(0, frame.pre.length), frame.pre) || !sameBytes(block.subarray(end), frame.post))
      continue;
    remember(table, index, framing);
    return { is: 'leaf', bytes: block.subarray(frame.pre.length, end) };
  }
  return { is: 'unexpected-shape' };
}

/**
 * The block of a leaf, for serving.
 *
 * @param bytes the leaf as it stands in the file
 * @returns undefined when the bytes are not the leaf, or the leaf has no block of its own
 */
export function wrapLeaf(table: LeafTable, index: number, bytes: Uint8Array): Uint8Array | undefined {
  if (table.known.has(index) || !verifyLeaf(table, index, bytes)) return undefined;
  const { frame } = framesToTry(table, index)[0]!;
  return frame.pre.length === 0 ? bytes : concat([frame.pre, bytes, frame.post]);
}

interface FrameToTry {
  readonly framing: Framing;
  readonly frame: LeafFrame;
}

/** The frames a leaf may have, the likeliest first. */
function framesToTry(table: LeafTable, index: number): FrameToTry[] {
  const framing = table.framing[index]! as Framing;
  const bytes = leafBytesAt(table, index);
  if (framing === FRAMING.pbOther) return [{ framing, frame: table.frames!.get(index)! }];
  if (framing !== FRAMING.pbUnknown) return [{ framing, frame: leafFrame(framing, bytes) }];
  const first = lastMatch.get(table) ?? FRAMING.pbFile;
  const second = first === FRAMING.pbFile ? FRAMING.pbRaw : FRAMING.pbFile;
  return [first, second].map((type) => ({ framing: type, frame: leafFrame(type, bytes) }));
}

function remember(table: LeafTable, index: number, framing: Framing): void {
  if (table.framing[index] === FRAMING.pbUnknown && lastMatch.get(table) !== framing) lastMatch.set(table, framing);
}

function digestOf(hashCode: number, frame: LeafFrame, pieces: readonly Uint8Array[]): Uint8Array {
  const single = pieces.length === 1 && frame.pre.length === 0 ? pieces[0] : undefined;
  const algorithm = hashFunction(hashCode);
  if (single !== undefined) return algorithm.hash(single);
  const hash = algorithm.create();
  if (frame.pre.length > 0) hash.update(frame.pre);
  for (const piece of pieces) hash.update(piece);
  return finished(hash, frame);
}

function finished(hash: RunningHash, frame: LeafFrame): Uint8Array {
  if (frame.post.length > 0) hash.update(frame.post);
  return hash.digest();
}

function digestMatches(table: LeafTable, index: number, digest: Uint8Array): boolean {
  const at = index * table.digestBytes;
  for (let i = 0; i < table.digestBytes; i += 1) if (digest[i] !== table.digests[at + i]) return false;
  return true;
}
