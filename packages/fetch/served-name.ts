import { lstat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { digestFile } from '#content/digest/digests';
import { portableName } from '#core/text/safe-path';
import type { Source } from '#core/source';
import { provenTarget, type ExistingTarget, type ExpectedTarget } from './target/existing-target.ts';
import { lastName } from './locator.ts';

/** The file that a server names is here already, and proven: nothing more of it is fetched. */
export class HereAlready extends Error {
  readonly path: string;
  readonly existing: ExistingTarget;

  constructor(path: string, existing: ExistingTarget) {
    super(`${path} is here already`);
    this.path = path;
    this.existing = existing;
  }
}

/** Learns the name that a server gives a file, from the first answer that has one. */
export class ServedName {
  readonly #target: string;
  readonly #expected: ExpectedTarget;
  readonly #found = new AbortController();
  #place: string | undefined;

  /** @param target where the file goes when no server names it */
  constructor(target: string, expected: ExpectedTarget) {
    this.#target = target;
    this.#expected = expected;
  }

  /** Aborted by HereAlready. */
  get found(): AbortSignal {
    return this.#found.signal;
  }

  /** Lets the source tell the name. */
  readonly heardBy = (inner: Source): Source => ({
    ...inner,
    read: (request, sink, signal) => {
      const head: typeof sink.head = (answer) => {
        this.#hear(answer.fileName, signal);
        sink.head(answer);
      };
      return inner.read(request, { head, write: (chunk) => sink.write(chunk) }, signal);
    },
  });

  /**
   * @param sha256 of the complete file
   * @returns where it goes: under the name that the server gave, unless another file is there already, which no stranger may replace
   */
  async placeFor(sha256: string): Promise<string> {
    const place = this.#place;
    if (place === undefined) return this.#target;
    const facts = await lstat(place).catch(() => undefined);
    if (facts === undefined) return place;
    const isSame = facts.isFile() && (await digestFile(place, ['sha256'])).digests.sha256 === sha256;
    return isSame ? place : this.#target;
  }

  #hear(served: string | undefined, signal: AbortSignal): void {
    if (this.#place !== undefined || served === undefined) return;
    const name = servedFileName(served);
    if (name === undefined) return;
    const place = join(dirname(this.#target), name);
    this.#place = place;
    if (place === this.#target) return;
    void provenTarget(place, this.#expected, signal).then(
      (existing) => existing && this.#found.abort(new HereAlready(place, existing)),
      () => undefined, // what cannot be read is fetched
    );
  }
}

/** No path, nothing hidden, and nothing that another system would refuse. */
function servedFileName(served: string): string | undefined {
  const name = lastName(served)?.replace(/^\.+/, '').trim();
  return name === undefined || name === '' ? undefined : portableName(name);
}
