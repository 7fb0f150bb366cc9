import type { TryRecord } from './transfer-options.ts';

/** A source that sends a byte per request must not fill the memory with its history. */
const TRIES_KEPT = 1000;

/** The tries of one transfer: each is counted and told, the last ones are kept. */
export class TryLog {
  count = 0;
  readonly kept: TryRecord[] = [];
  readonly #onTry: ((record: TryRecord) => void) | undefined;

  constructor(onTry: ((record: TryRecord) => void) | undefined) {
    this.#onTry = onTry;
  }

  add(record: TryRecord): void {
    this.count += 1;
    this.kept.push(record);
    if (this.kept.length > TRIES_KEPT) this.kept.shift();
    this.#onTry?.(record);
  }
}
