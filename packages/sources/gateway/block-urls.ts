import type { HttpResponse } from '#http/request';
import type { Resolved } from '../resolved-url.ts';
import { isOldLink, mayBePlace, resolvedOf } from '../resolved-url.ts';

/**
 * Where the redirects of a gateway lead for blocks: to another host with the same path, or to a subdomain for each CID. The target of one
 * block is used for all blocks of the transfer, until a block is found only through the gateway itself.
 */
export class BlockUrls {
  readonly #now: () => number;
  /** The final URL before and after the CID. */
  #parts: readonly [string, string] | undefined;
  #seen: Resolved | undefined;
  #mayLearn = true;

  /** @param now wall clock in milliseconds */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** @param ask with undefined requests the logical URL */
  async through<T>(cid: string, ask: (known: Resolved | undefined) => Promise<T>): Promise<T> {
    const known = this.#resolved(cid);
    if (known === undefined) return ask(undefined);
    try {
      return await ask(known);
    } catch (error) {
      if (!isOldLink(error)) {
        // The gateway may now redirect to another host than the broken one.
        if (mayBePlace(error)) this.#parts = undefined;
        throw error;
      }
      const found = await ask(undefined);
      this.#parts = undefined;
      this.#mayLearn = false;
      return found;
    }
  }

  learn(cid: string, response: HttpResponse): void {
    if (!this.#mayLearn || response.redirects === 0) return;
    const { href, search } = response.url;
    const [before, after, ...more] = href.split(cid);
    const isSigned = search !== '' && search !== '?format=raw';
    if (before === undefined || after === undefined || more.length > 0 || isSigned) return;
    this.#parts = [before, after];
    this.#seen = resolvedOf(response, this.#now());
  }

  #resolved(cid: string): Resolved | undefined {
    if (this.#parts === undefined || this.#seen === undefined || this.#seen.untilMs <= this.#now()) return undefined;
    return { ...this.#seen, url: this.#parts.join(cid) };
  }
}
