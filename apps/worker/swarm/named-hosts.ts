import type { AnsweredFile } from '#contracts/swarm';
import { MINUTE_MS } from '#core/units';

type Named = AnsweredFile['peers'][number];

/** Hosts that are known at once; each of them is asked for its pieces. */
const MOST_HOSTS = 32;
/** A host that was not named for so long may be gone: of a large swarm each answer names other hosts. */
const FORGOTTEN_MS = 2 * MINUTE_MS;

interface KnownHost {
  readonly host: Named;
  readonly namedAt: number;
}

/**
 * Hosts of one swarm that the tracker named. Each of its answers names some of them by chance; those that are known stay, so that transfers and
 * connections go on, and further ones are known where there is room.
 */
export class NamedHosts {
  readonly #known = new Map<string, KnownHost>();
  #byUrl: ReadonlyMap<string, Named> = new Map();
  #byOrigin: ReadonlyMap<string, Named> = new Map();

  /**
   * Takes the hosts of an answer.
   *
   * @param isNeeded it is known in any case: this host is to fetch something from it
   * @param now monotonic milliseconds
   */
  take(named: readonly Named[], isNeeded: (host: Named) => boolean, now: number): void {
    for (const host of named) {
      if (!this.#known.has(host.host) && this.#known.size >= MOST_HOSTS && !isNeeded(host)) continue;
      this.#known.delete(host.host);
      this.#known.set(host.host, { host, namedAt: now });
    }
    // Those that were named first come first.
    for (const [name, { host, namedAt }] of this.#known)
      if (now - namedAt > FORGOTTEN_MS || (this.#known.size > MOST_HOSTS && !isNeeded(host))) this.#known.delete(name);
    this.#index();
  }

  /** Nothing is to be fetched from them. */
  drop(names: readonly string[]): void {
    for (const name of names) this.#known.delete(name);
    this.#index();
  }

  /** @param url of the server of a host */
  at = (url: string): Named | undefined => this.#byUrl.get(url);

  /** @param origin of the server of a host, as of a URL */
  ofOrigin = (origin: string): Named | undefined => this.#byOrigin.get(origin);

  get urls(): string[] {
    return [...this.#byUrl.keys()];
  }

  /** @returns addresses of those of a site */
  urlsOf(site: string): string[] {
    return [...this.#byUrl].flatMap(([url, host]) => (host.site === site ? [url] : []));
  }

  /** Transfers look hosts up for each leaf. */
  #index(): void {
    const pairs = [...this.#known.values()].flatMap(({ host }) => host.urls.map((url) => [url, host] as const));
    this.#byUrl = new Map(pairs);
    this.#byOrigin = new Map(pairs.map(([url, host]) => [new URL(url).origin, host]));
  }
}
