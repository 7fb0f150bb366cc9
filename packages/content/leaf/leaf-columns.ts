import { VerifyError } from '#core/failure';
import { FRAMING, type Framing, type LeafFrame, type LeafTable } from './leaf-table.ts';
import { SHA2_256 } from '../digest/multihash.ts';

/** Leaves in file order, growing, in flat arrays: what a LeafTable is made from. */
export class LeafColumns {
  count = 0;
  sizeBytes = 0;
  readonly known = new Map<number, Uint8Array>();
  readonly frames = new Map<number, LeafFrame>();
  private sizes = new Float64Array(16);
  private framing = new Uint8Array(16);
  private digests = new Uint8Array(0);
  private hash: { code: number; digestBytes: number } | undefined;

  pushLeaf(bytes: number, framing: Framing, hashCode: number, digest: Uint8Array): void {
    this.useHash(hashCode, digest.length);
    this.grow(1);
    this.digests.set(digest, this.count * digest.length);
    this.push(bytes, framing);
  }

  /** Adds a place without a digest: bytes that the DAG carries, or one that the caller fills otherwise. */
  pushWithoutDigest(bytes: number, known?: Uint8Array): void {
    this.grow(1);
    if (known !== undefined) this.known.set(this.count, known);
    this.push(bytes, FRAMING.raw);
  }

  bytesAt(index: number): number {
    return this.sizes[index]!;
  }

  /** Copies `[from, to)` of other columns to the end. */
  append(other: LeafColumns, from: number, to: number): void {
    if (to <= from) return;
    if (other.hash !== undefined) this.useHash(other.hash.code, other.hash.digestBytes);
    this.grow(to - from);
    const width = other.hash?.digestBytes ?? 0;
    this.digests.set(other.digests.subarray(from * width, to * width), this.count * width);
    for (let index = from; index < to; index += 1) {
      const known = other.known.get(index);
      if (known !== undefined) this.known.set(this.count, known);
      this.push(other.sizes[index]!, other.framing[index]! as Framing);
    }
  }

  /** Copies `[from, to)` of a table to the end. */
  appendTable(table: LeafTable, from: number, to: number): void {
    for (let index = from; index < to; index += 1) {
      const frame = table.frames?.get(index);
      if (frame !== undefined) this.frames.set(this.count, frame);
      const bytes = table.starts[index + 1]! - table.starts[index]!;
      const known = table.known.get(index);
      const at = index * table.digestBytes;
      const digest = table.digests.subarray(at, at + table.digestBytes);
      if (known === undefined) this.pushLeaf(bytes, table.framing[index]! as Framing, table.hashCode, digest);
      else this.pushWithoutDigest(bytes, known);
    }
  }

  toTable(rootCid: string): LeafTable {
    const { code, digestBytes } = this.hash ?? { code: SHA2_256, digestBytes: 32 };
    const digests = new Uint8Array(this.count * digestBytes);
    digests.set(this.digests.subarray(0, digests.length));
    const starts = new Float64Array(this.count + 1);
    for (let index = 0; index < this.count; index += 1) starts[index + 1] = starts[index]! + this.sizes[index]!;
    return {
      rootCid,
      sizeBytes: starts[this.count]!,
      count: this.count,
      starts,
      hashCode: code,
      digestBytes,
      digests,
      framing: this.framing.slice(0, this.count),
      known: this.known,
      frames: this.frames.size === 0 ? undefined : this.frames,
    };
  }

  private push(bytes: number, framing: Framing): void {
    this.sizes[this.count] = bytes;
    this.framing[this.count] = framing;
    this.count += 1;
    this.sizeBytes += bytes;
  }

  private useHash(code: number, digestBytes: number): void {
    if (this.hash === undefined) {
      this.hash = { code, digestBytes };
      this.digests = new Uint8Array(this.sizes.length * digestBytes);
    } else if (this.hash.code !== code || this.hash.digestBytes !== digestBytes)
      throw new VerifyError(
        'unsupported',
        `leaves with different hashes in one file (0x${this.hash.code.toString(16)} and 0x${code.toString(16)})`,
      );
  }

  private grow(more: number): void {
    const needed = this.count + more;
    if (needed <= this.sizes.length) return;
    const room = Math.max(needed, this.sizes.length * 2);
    this.sizes = copied(new Float64Array(room), this.sizes);
    this.framing = copied(new Uint8Array(room), this.framing);
    this.digests = copied(new Uint8Array(room * (this.hash?.digestBytes ?? 0)), this.digests);
  }
}

function copied<T extends Uint8Array | Float64Array>(into: T, from: T): T {
  into.set(from);
  return into;
}
