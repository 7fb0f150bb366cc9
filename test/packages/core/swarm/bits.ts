const WORD = 32;

/** A set of small numbers as bits, so that two sets are compared word by word. */
export class Bits {
  readonly #words: Uint32Array;
  size = 0;

  constructor(count: number) {
    this.#words = new Uint32Array(Math.ceil(count / WORD));
  }

  at = (index: number): boolean => (this.#words[index >>> 5]! & (1 << (index & 31))) !== 0;

  set(index: number): void {
    if (this.at(index)) return;
    this.#words[index >>> 5]! |= 1 << (index & 31);
    this.size += 1;
  }

  clear(index: number): void {
    if (!this.at(index)) return;
    this.#words[index >>> 5]! &= ~(1 << (index & 31));
    this.size -= 1;
  }

  /** Calls for each number that is in this set, and in none of the others. */
  forEachWithout(one: Bits, other: Bits, call: (index: number) => void): void {
    for (let at = 0; at < this.#words.length; at += 1) {
      let word = this.#words[at]! & ~one.#words[at]! & ~other.#words[at]!;
      for (; word !== 0; word &= word - 1) call(at * WORD + 31 - Math.clz32(word & -word));
    }
  }
}
