/** An answer of the tracker is not waited for longer; milliseconds. */
export const ANSWER_WAIT_MS = 1500;

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
      const late = setTimeout(end, ANSWER_WAIT_MS);
      this.#waiting.add(end);
    });
  }

  /** It answered, or it will not. */
  end(): void {
    for (const end of this.#waiting) end();
  }
}
