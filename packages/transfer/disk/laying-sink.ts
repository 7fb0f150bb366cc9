import type { ByteSink, ResponseHead } from '#core/source';

type Take = (chunk: Uint8Array) => void | Promise<void>;

/** Takes a response from its first byte, whose place is still being made when its head comes. */
export class LayingSink implements ByteSink {
  readonly #lay: (head: ResponseHead) => Promise<Take>;
  #laying: Promise<void> | undefined;
  #take: Take | undefined;

  /** @param lay resolves with what takes the bytes */
  constructor(lay: (head: ResponseHead) => Promise<Take>) {
    this.#lay = lay;
  }

  /** Resolves when nothing is being made any more: a response may break off before. Rejects with the failure of that. */
  get laid(): Promise<void> | undefined {
    return this.#laying;
  }

  head(head: ResponseHead): void {
    this.#laying = this.#lay(head).then((take) => void (this.#take = take));
    // Whoever waits for it hears of it; a response that breaks off before that must not leave it unheard.
    this.#laying.catch(() => undefined);
  }

  write(chunk: Uint8Array): void | Promise<void> {
    if (this.#take !== undefined) return this.#take(chunk);
    const copy = chunk.slice();
    return this.#laying!.then(() => this.#take!(copy));
  }
}
