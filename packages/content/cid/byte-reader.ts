const TWO_32 = 2 ** 32;

/** Walks over bytes of varints and length-prefixed fields (protobuf, multiformats, CAR); throws RangeError at every damage. */
export class ByteReader {
  offset = 0;
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  get done(): boolean {
    return this.offset >= this.bytes.length;
  }

  /**
   * Reads an unsigned varint.
   *
   * @param minimal refuse an encoding longer than needed, as multiformats demands; protobuf allows it
   * @throws RangeError at the end of the bytes, beyond 2^53 (a negative protobuf integer is), or when not minimal
   */
  varint(minimal = false): number {
    const start = this.offset;
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = this.bytes[this.offset];
      if (byte === undefined) throw new RangeError(`a number breaks off at byte ${this.offset}`);
      this.offset += 1;
      if (shift < 28) low += (byte & 0x7f) * 2 ** shift;
      else high += (byte & 0x7f) * 2 ** (shift - 28);
      if (byte < 0x80) {
        if (minimal && byte === 0 && this.offset > start + 1) throw new RangeError('a number has padding');
        return joined(low, high);
      }
    }
    throw new RangeError(`a number at byte ${start} is longer than 64 bits`);
  }

  /** @returns a view of the next `length` bytes. */
  take(length: number): Uint8Array {
    const end = this.offset + length;
    if (end > this.bytes.length)
      throw new RangeError(
        `${length} bytes are promised at byte ${this.offset}, ${this.bytes.length - this.offset} are there`,
      );
    const view = this.bytes.subarray(this.offset, end);
    this.offset = end;
    return view;
  }

  /** @returns a view of a field whose length stands before it. */
  field(): Uint8Array {
    return this.take(this.varint());
  }
}

function joined(low: number, high: number): number {
  const value = low + high * 2 ** 28;
  if (value > Number.MAX_SAFE_INTEGER) throw new RangeError('a number is beyond 2^53');
  return value;
}

/** @param value integer, 0 <= value <= 2^53 − 1 */
export function encodeVarint(value: number): number[] {
  const out: number[] = [];
  let rest = value;
  while (rest >= TWO_32) {
    out.push((rest % 128) | 0x80);
    rest = Math.floor(rest / 128);
  }
  while (rest >= 0x80) {
    out.push((rest & 0x7f) | 0x80);
    rest = rest >>> 7;
  }
  out.push(rest);
  return out;
}

export const concat = (parts: readonly Uint8Array[]): Uint8Array => {
  let length = 0;
  for (const part of parts) length += part.length;
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
};

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i += 1) if (a[i] !== b[i]) return false;
  return true;
}
