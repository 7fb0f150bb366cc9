export interface BoundedMapOptions<Value> {
  /** Most values that are kept; integer >= 1. */
  readonly capacity: number;
  /** Values that are dropped before older ones; default: none. */
  readonly dropsFirst?: ((value: Value) => boolean) | undefined;
  readonly onDropped?: ((value: Value) => void) | undefined;
}

/** A map with a limit: a further value replaces the least recently used one. */
export class BoundedMap<Value> {
  /** The least recently used value comes first. */
  readonly #values = new Map<string, Value>();
  readonly #options: BoundedMapOptions<Value>;

  constructor(options: BoundedMapOptions<Value>) {
    this.#options = options;
  }

  /** Counts as a use. */
  get(key: string): Value | undefined {
    const value = this.#values.get(key);
    if (value === undefined) return undefined;
    this.#values.delete(key);
    this.#values.set(key, value);
    return value;
  }

  /** Does not count as a use. */
  peek(key: string): Value | undefined {
    return this.#values.get(key);
  }

  set(key: string, value: Value): Value {
    this.#values.delete(key);
    if (this.#values.size >= this.#options.capacity) this.#drop();
    this.#values.set(key, value);
    return value;
  }

  keys(): IterableIterator<string> {
    return this.#values.keys();
  }

  values(): IterableIterator<Value> {
    return this.#values.values();
  }

  #drop(): void {
    const { dropsFirst, onDropped } = this.#options;
    const [leastRecent] = this.#values;
    const dropped = (dropsFirst && [...this.#values].find(([, value]) => dropsFirst(value))) ?? leastRecent;
    if (dropped === undefined) return;
    this.#values.delete(dropped[0]);
    onDropped?.(dropped[1]);
  }
}
