/** Callers that wait, first come first served, until another caller hands them a value; an abort ends the wait. */
export class WaitQueue<Value> {
  readonly #waiting: ((value: Value) => void)[] = [];

  /** Callers that wait now. */
  get length(): number {
    return this.#waiting.length;
  }

  /** @returns the value that is handed over; rejects with the signal's reason */
  wait(signal: AbortSignal): Promise<Value> {
    return new Promise((resolve, reject) => {
      const take = (value: Value): void => {
        signal.removeEventListener('abort', onAbort);
        resolve(value);
      };
      const onAbort = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(take), 1);
        reject(signal.reason as Error);
      };
      if (signal.aborted) return reject(signal.reason as Error);
      this.#waiting.push(take);
      signal.addEventListener('abort', onAbort, { once: true });
    });
  }

  /** Hands the value to the caller that waits longest. @returns false when no caller waits */
  hand(value: Value): boolean {
    const take = this.#waiting.shift();
    take?.(value);
    return take !== undefined;
  }
}
