/** A map that holds at most so many values and drops the one unused for longest. */
export class LeastRecentlyUsed<Value> {
  readonly #values = new Map<string, Value>();
  readonly #capacity: number;
  readonly #onDropped: (value: Value) => void;

  /** @param capacity integer >= 1 */
  constructor(capacity: number, onDropped: (value: Value) => void) {
    this.#capacity = capacity;
    this.#onDropped = onDropped;
  }

  get(key: string): Value | undefined {
    const value = this.#values.get(key);
    if (value === undefined) return undefined;
    this.#values.delete(key);
    this.#values.set(key, value);
    return value;
  }

  set(key: string, value: Value): Value {
    this.#values.delete(key);
    this.#values.set(key, value);
    const [oldestKey] = this.#values.keys();
    if (this.#values.size > this.#capacity && oldestKey !== undefined) {
      const oldest = this.#values.get(oldestKey) as Value;
      this.#values.delete(oldestKey);
      this.#onDropped(oldest);
    }
    return value;
  }

  values(): IterableIterator<Value> {
    return this.#values.values();
  }
}
