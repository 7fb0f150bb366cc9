import type { ByteRange } from '#core/bytes/byte-range';
import type { Grid } from './grid.ts';
import { UnitExclusions } from './unit-exclusions.ts';

const FREE = 0;
const BUSY = 1;
const WRITING = 2;
const DONE = 3;

/** Units of the grid that one try fetches: `[next, end)` is still to come. The end may move while the try runs. */
export interface Claim {
  readonly source: number;
  readonly first: number;
  next: number;
  end: number;
  /** Position in the file that the bytes of its response have reached. */
  arrivedTo: number;
  /** Another try is fetching the same units. */
  readonly duplicate: boolean;
  /** The claim whose far half became this one. */
  readonly takenFrom: Claim | undefined;
  /** Units that were set aside for its source since: other tries may have claimed them. */
  readonly givenUp: Set<number>;
}

/** No source: the bytes come from the disk (salvage, the DAG itself) or from a source of an earlier run. */
export const NO_SOURCE = 0xffff;

/**
 * The state of every unit: free, busy, being written, or done. Also records which source sent bad bytes for which unit, and which source
 * sent each unit that is done.
 */
export class SpanBoard {
  readonly grid: Grid;
  readonly #state: Uint8Array;
  readonly #origin: Uint16Array;
  readonly #exclusions = new UnitExclusions();
  readonly #claims = new Set<Claim>();
  #isOffered: ((unit: number, source: number) => boolean) | undefined;
  #doneBytes = 0;
  #freeBytes: number;
  #frontier = 0;
  #firstFree = 0;

  constructor(grid: Grid) {
    this.grid = grid;
    this.#state = new Uint8Array(grid.count);
    this.#origin = new Uint16Array(grid.count).fill(NO_SOURCE);
    this.#freeBytes = grid.sizeBytes;
  }

  get doneBytes(): number {
    return this.#doneBytes;
  }

  get freeBytes(): number {
    return this.#freeBytes;
  }

  get isComplete(): boolean {
    return this.#doneBytes === this.grid.sizeBytes && this.frontier === this.grid.count;
  }

  /** Missing units of which a source sent wrong bytes. */
  get refusedUnits(): number[] {
    return [...this.#exclusions.refused].filter((unit) => !this.isTaken(unit));
  }

  /** Units `[0, frontier)` are done. */
  get frontier(): number {
    while (this.#frontier < this.grid.count && this.#state[this.#frontier] === DONE) this.#frontier += 1;
    return this.#frontier;
  }

  get frontierBytes(): number {
    const { frontier, grid } = this;
    return frontier === grid.count ? grid.sizeBytes : grid.start(frontier);
  }

  get claims(): Iterable<Claim> {
    return this.#claims;
  }

  isDone = (unit: number): boolean => this.#state[unit] === DONE;
  /** Further bytes of the unit are not needed: it is done or being written. */
  isTaken = (unit: number): boolean => this.#state[unit]! >= WRITING;
  originOf = (unit: number): number => this.#origin[unit]!;

  /** Limits each source to the units for which the function is true at the moment of a claim. */
  limitTo(isOffered: (unit: number, source: number) => boolean): void {
    this.#isOffered = isOffered;
  }

  /**
   * Takes the next run of free units that is not excluded for the source: at least one unit, about `maxBytes`.
   *
   * @param rank the run begins with the first unit of the least rank; undefined: with the first one of the file
   */
  claim(source: number, maxBytes: number, rank?: (unit: number) => number): Claim | undefined {
    const first = rank === undefined ? this.#nextFor(source) : this.#leastFor(source, rank);
    if (first === undefined) return undefined;
    let end = first + 1;
    const { grid } = this;
    while (end < grid.count && this.#isFreeFor(source, end) && grid.end(end) - grid.start(first) <= maxBytes) end += 1;
    return this.#begin(source, first, end, false);
  }

  /** Extends a claim to the end of the file, for a response that goes on beyond what was asked. */
  extend(claim: Claim): void {
    const from = claim.end;
    claim.end = this.grid.count;
    this.#hold(claim, from, claim.end);
  }

  /** Claims the rest of a busy claim for another source as well; undefined when that source may fetch none of it. */
  duplicate(of: Claim, source: number): Claim | undefined {
    let first = of.next;
    while (first < of.end && !this.#isWantedFrom(source, first)) first += 1;
    if (first >= of.end) return undefined;
    let end = first + 1;
    while (end < of.end && this.#isWantedFrom(source, end)) end += 1;
    return this.#begin(source, first, end, true);
  }

  /** Takes the far half of a busy claim away from it; undefined when there is less than `leastBytes` to take. */
  split(of: Claim, source: number, leastBytes: number): Claim | undefined {
    const { grid } = this;
    const half = (grid.start(of.next) + grid.end(of.end - 1)) / 2;
    let first = of.end;
    const isToTake = (unit: number): boolean => this.#isWantedFrom(source, unit) && !this.passesOver(of, unit);
    while (first - 1 > of.next && grid.start(first - 1) >= half && isToTake(first - 1)) first -= 1;
    if (first >= of.end || grid.end(of.end - 1) - grid.start(first) < leastBytes) return undefined;
    const { end } = of;
    of.end = first;
    return this.#begin(source, first, end, of.duplicate, of);
  }

  /** Frees the units that the claim did not fetch. A split half that fetched nothing returns to its claim if that still runs. */
  release(claim: Claim): void {
    const { takenFrom: of, first, end } = claim;
    this.#claims.delete(claim);
    if (of !== undefined && this.#claims.has(of) && of.end === first && claim.next === first) of.end = end;
    this.#free(first, end);
  }

  /** The bytes of the unit are verified and being written. */
  writing(unit: number): void {
    this.#set(unit, WRITING);
  }

  /** The unit is on the disk. */
  done(unit: number, source: number): void {
    this.#origin[unit] = source;
    this.#set(unit, DONE);
  }

  /** The unit must be fetched again: it was damaged, or its source is suspect. */
  drop(unit: number): void {
    this.#set(unit, FREE);
    this.#holdClaimed(unit, unit + 1);
    this.#origin[unit] = NO_SOURCE;
    this.#frontier = Math.min(this.#frontier, unit);
  }

  /**
   * The source sent wrong bytes for the unit; it is not asked for the unit again.
   *
   * @returns how many different sources sent wrong bytes for it
   */
  exclude(unit: number, source: number): number {
    const sources = this.#exclusions.sentWrong(unit, source);
    this.#free(unit, unit + 1);
    return sources;
  }

  /** The source does not have the unit; it is not asked for the unit again. */
  withhold(unit: number, source: number): void {
    this.#exclusions.withheld(unit, source);
    this.#free(unit, unit + 1);
  }

  /**
   * The source probably does not have these units: it is asked for others first, and its claims pass over them. Units that are being
   * requested from it now stay claimed.
   */
  setAside(first: number, end: number, source: number): void {
    const own = [...this.#claims].filter((claim) => claim.source === source && claim.next < claim.end);
    const asked = new Set(own.filter((claim) => !this.passesOver(claim, claim.next)).map(({ next }) => next));
    for (let unit = first; unit < end; unit += 1) {
      if (asked.has(unit) || this.isTaken(unit) || this.isExcluded(unit, source)) continue;
      this.#exclusions.setAside(unit, source);
      for (const claim of own) if (claim.next <= unit && unit < claim.end) claim.givenUp.add(unit);
    }
    this.#free(first, end);
  }

  /** Makes set-aside units available to the source again. @returns false when none of them is wanted */
  readmit(source: number): boolean {
    return [...this.#exclusions.readmit(source)].some((unit) => this.#isWantedFrom(source, unit));
  }

  isExcluded = (unit: number, source: number): boolean => this.#exclusions.has(unit, source);

  /** Whether the claim does not fetch the unit, although it lies in its range. */
  passesOver = (claim: Claim, unit: number): boolean =>
    this.isTaken(unit) || claim.givenUp.has(unit) || this.isExcluded(unit, claim.source);

  /** Whether a missing unit may come from the source, even if another try is fetching it. */
  mayServe(source: number): boolean {
    for (let unit = this.frontier; unit < this.grid.count; unit += 1) {
      if (this.#isWantedFrom(source, unit)) return true;
    }
    return false;
  }

  /** Whether a free unit may come from the source. */
  hasWorkFor = (source: number): boolean => this.#nextFor(source) !== undefined;

  /** Other tries brought everything that the claim still has to fetch. */
  isNeedless(claim: Claim): boolean {
    if (claim.next >= claim.end) return false;
    for (let unit = claim.next; unit < claim.end; unit += 1) if (!this.passesOver(claim, unit)) return false;
    return true;
  }

  /** The source may not be asked any more for what the claim fetches next. */
  isWithdrawn = ({ next, end, source }: Claim): boolean =>
    next < end && this.#isOffered !== undefined && !this.#isOffered(next, source);

  remainingBytes(claim: Claim): number {
    return claim.next >= claim.end ? 0 : this.grid.end(claim.end - 1) - this.grid.start(claim.next);
  }

  /** Bytes that have arrived of units that begin in this part of the file and are not complete. */
  begunBytes({ start, end }: ByteRange): number {
    let bytes = 0;
    for (const { next, arrivedTo } of this.#claims) {
      const from = next < this.grid.count ? this.grid.start(next) : end;
      if (from >= start && from < end) bytes += Math.max(0, Math.min(arrivedTo, end) - from);
    }
    return bytes;
  }

  #nextFor(source: number): number | undefined {
    while (this.#firstFree < this.grid.count && this.#state[this.#firstFree] !== FREE) this.#firstFree += 1;
    for (let unit = this.#firstFree; unit < this.grid.count; unit += 1) {
      if (this.#isFreeFor(source, unit)) return unit;
    }
    return undefined;
  }

  #leastFor(source: number, rank: (unit: number) => number): number | undefined {
    let [found, least]: [number | undefined, number] = [undefined, Infinity];
    for (let unit = this.#nextFor(source) ?? this.grid.count; unit < this.grid.count; unit += 1) {
      if (this.#state[unit] !== FREE || rank(unit) >= least || !this.#mayCome(unit, source)) continue;
      [found, least] = [unit, rank(unit)];
    }
    return found;
  }

  #isFreeFor(source: number, unit: number): boolean {
    return this.#state[unit] === FREE && this.#mayCome(unit, source);
  }

  #isWantedFrom(source: number, unit: number): boolean {
    return this.#state[unit]! < WRITING && this.#mayCome(unit, source);
  }

  #mayCome(unit: number, source: number): boolean {
    return !this.isExcluded(unit, source) && (this.#isOffered?.(unit, source) ?? true);
  }

  #begin(source: number, first: number, end: number, duplicate: boolean, takenFrom?: Claim): Claim {
    const arrivedTo = this.grid.start(first);
    const claim: Claim = { source, first, next: first, end, arrivedTo, duplicate, takenFrom, givenUp: new Set() };
    this.#claims.add(claim);
    this.#hold(claim, first, end);
    return claim;
  }

  /** Frees busy units, except those that a claim still fetches. */
  #free(first: number, end: number): void {
    for (let unit = first; unit < end; unit += 1) if (this.#state[unit] === BUSY) this.#set(unit, FREE);
    this.#holdClaimed(first, end);
  }

  #holdClaimed(first: number, end: number): void {
    for (const claim of this.#claims) this.#hold(claim, Math.max(first, claim.next), Math.min(end, claim.end));
  }

  #hold(claim: Claim, from: number, end: number): void {
    for (let unit = from; unit < end; unit += 1) {
      if (this.#state[unit] === FREE && !this.passesOver(claim, unit)) this.#set(unit, BUSY);
    }
  }

  #set(unit: number, state: number): void {
    const before = this.#state[unit]!;
    if (before === state) return;
    const bytes = this.grid.end(unit) - this.grid.start(unit);
    if (before === FREE) this.#freeBytes -= bytes;
    if (before === DONE) this.#doneBytes -= bytes;
    if (state === FREE) {
      this.#freeBytes += bytes;
      this.#firstFree = Math.min(this.#firstFree, unit);
    }
    if (state === DONE) this.#doneBytes += bytes;
    this.#state[unit] = state;
  }
}
