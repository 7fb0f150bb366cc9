/** Where a block is: a file of the leaf tables by number, and the leaf in it; `INNER` is a node above the leaves. */
export interface BlockPlace {
  readonly table: number;
  readonly leaf: number;
}

export const INNER = 0xffff_ffff;

const WORDS = 3;
/** A block that more files have is found in the first of them. */
const MAX_ALIKE = 16;
const LEAST_SLOTS = 1024;

/**
 * Finds places by the first four bytes of a digest, in 12 bytes a slot and without an object for each block: a store of 1 TB in leaves
 * of 256 KiB has four million. Several places may share their first bytes; the caller compares the whole digest.
 */
export class DigestIndex {
  #slots = new Uint32Array(LEAST_SLOTS * WORDS);
  #count = 0;

  get size(): number {
    return this.#count;
  }

  /**
   * @param digest 4 bytes or more
   * @param isSame whether a place of the same table has the whole digest: a run of equal leaves is entered once
   */
  add(digest: Uint8Array, { table, leaf }: BlockPlace, isSame: (leaf: number) => boolean): void {
    let alike = 0;
    for (const place of this.placesOf(digest)) {
      alike += 1;
      if (alike === MAX_ALIKE || (place.table === table && isSame(place.leaf))) return;
    }
    if ((this.#count + 1) * WORDS * 5 > this.#slots.length * 3) this.#grow();
    this.#put(prefixOf(digest), table + 1, leaf);
    this.#count += 1;
  }

  *placesOf(digest: Uint8Array): Generator<BlockPlace> {
    const prefix = prefixOf(digest);
    for (let slot = this.#first(prefix); this.#slots[slot + 1] !== 0; slot = this.#next(slot))
      if (this.#slots[slot] === prefix) yield { table: this.#slots[slot + 1]! - 1, leaf: this.#slots[slot + 2]! };
  }

  #grow(): void {
    const old = this.#slots;
    this.#slots = new Uint32Array(old.length * 2);
    for (let slot = 0; slot < old.length; slot += WORDS)
      if (old[slot + 1] !== 0) this.#put(old[slot]!, old[slot + 1]!, old[slot + 2]!);
  }

  #put(prefix: number, table: number, leaf: number): void {
    let slot = this.#first(prefix);
    while (this.#slots[slot + 1] !== 0) slot = this.#next(slot);
    this.#slots[slot] = prefix;
    this.#slots[slot + 1] = table;
    this.#slots[slot + 2] = leaf;
  }

  #first(prefix: number): number {
    return (prefix % (this.#slots.length / WORDS)) * WORDS;
  }

  #next(slot: number): number {
    return slot + WORDS === this.#slots.length ? 0 : slot + WORDS;
  }
}

const prefixOf = (digest: Uint8Array): number =>
  ((digest[0]! << 24) | (digest[1]! << 16) | (digest[2]! << 8) | digest[3]!) >>> 0;
