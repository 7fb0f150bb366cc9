/** Who rests until when at one origin: all of it, or only one of its rate limits (HT3). */
export class Rests {
  /** Monotonic milliseconds by bucket; the key '' stands for the whole origin. */
  readonly #until = new Map<string, number>();

  /** @param bucket undefined for the whole origin; a rest is never shortened */
  keep(bucket: string | undefined, untilMs: number): void {
    const key = bucket ?? '';
    this.#until.set(key, Math.max(untilMs, this.#until.get(key) ?? 0));
  }

  /**
   * @param bucket which limit a request counts against; undefined when nobody knows, then each of them may be meant
   * @returns until when such a request has to wait; a moment in the past when it has not
   */
  untilMs(bucket: string | undefined): number {
    let latest = this.#until.get('') ?? 0;
    for (const [key, untilMs] of this.#until) {
      if (bucket === undefined || key === bucket) latest = Math.max(latest, untilMs);
    }
    return latest;
  }

  /** Forgets what is over. @returns true when nothing is left */
  expire(nowMs: number): boolean {
    for (const [key, untilMs] of this.#until) if (untilMs <= nowMs) this.#until.delete(key);
    return this.#until.size === 0;
  }
}
