/** The first answer is not waited for longer; milliseconds. */
const LONGEST_MS = 1500;

/** Lets callers wait for an answer of the tracker, for a short time. */
export class AnswerWait {
  readonly #waiting = new Set<() => void>();

  /** Resolves with the next answer, or when it takes too long. */
  next(): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(late);
        this.#waiting.delete(end);
        resolve();
      };
      const late = setTimeout(end, LONGEST_MS);
      this.#waiting.add(end);
    });
  }

  /** It answered, or it will not. */
  end(): void {
    for (const end of this.#waiting) end();
  }
}
