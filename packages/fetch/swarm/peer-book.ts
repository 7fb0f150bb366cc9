/** Addresses of other hosts, `http://host:port`, as several finders name them: the configuration, the network, a tracker. */
export class PeerBook {
  readonly #byFinder = new Map<string, readonly string[]>();
  readonly #listeners = new Set<() => void>();

  /** Each address once. */
  get urls(): readonly string[] {
    return [...new Set([...this.#byFinder.values()].flat())];
  }

  /** Replaces what one finder knows. */
  set(finder: string, urls: readonly string[]): void {
    if (this.#byFinder.get(finder)?.join(' ') === urls.join(' ')) return;
    this.#byFinder.set(finder, [...urls]);
    for (const changed of this.#listeners) changed();
  }

  /** @returns ends the subscription */
  subscribe(changed: () => void): () => void {
    this.#listeners.add(changed);
    return () => this.#listeners.delete(changed);
  }
}
