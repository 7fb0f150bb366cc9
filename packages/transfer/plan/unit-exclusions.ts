/** Which sources are not asked for which units. */
export class UnitExclusions {
  readonly #badFrom = new Map<number, Set<number>>();
  readonly #withheld = new Map<number, Set<number>>();
  /** By source, the units that it probably does not have: skipped until there is nothing else to fetch from it. */
  readonly #setAside = new Map<number, Set<number>>();

  /** Units of which a source sent wrong bytes. */
  get refused(): Iterable<number> {
    return this.#badFrom.keys();
  }

  has(unit: number, source: number): boolean {
    return (
      (this.#badFrom.get(unit)?.has(source) ?? false) ||
      (this.#withheld.get(unit)?.has(source) ?? false) ||
      (this.#setAside.get(source)?.has(unit) ?? false)
    );
  }

  /** The source sent wrong bytes for the unit. @returns how many different sources did so */
  sentWrong(unit: number, source: number): number {
    return added(this.#badFrom, unit, source).size;
  }

  /** The source does not have the unit. */
  withheld(unit: number, source: number): void {
    added(this.#withheld, unit, source);
  }

  /** The source probably does not have the unit. */
  setAside(unit: number, source: number): void {
    added(this.#setAside, source, unit);
  }

  /** @returns the units that were set aside for the source, and are not any more */
  readmit(source: number): ReadonlySet<number> {
    const aside = this.#setAside.get(source) ?? new Set();
    this.#setAside.delete(source);
    return aside;
  }
}

function added(sets: Map<number, Set<number>>, key: number, value: number): Set<number> {
  const set = sets.get(key) ?? new Set<number>();
  sets.set(key, set.add(value));
  return set;
}
