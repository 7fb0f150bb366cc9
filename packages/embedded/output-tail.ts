/** Keeps the last lines of an output, so that an error can say what the program itself said. */
export class OutputTail {
  readonly #maxLines: number;
  #lines: string[] = [];
  #open = '';

  /** @param maxLines how many complete lines are kept; default 20 */
  constructor(maxLines = 20) {
    this.#maxLines = maxLines;
  }

  /** @returns the lines that this text completed */
  add(text: string): string[] {
    const lines = (this.#open + text).split('\n');
    this.#open = lines.pop() ?? '';
    const complete = lines.filter((line) => line.trim() !== '');
    this.#lines = [...this.#lines, ...complete].slice(-this.#maxLines);
    return complete;
  }

  text(): string {
    const lines = this.#open.trim() === '' ? this.#lines : [...this.#lines, this.#open];
    return lines.join('\n') || '(no output)';
  }
}
