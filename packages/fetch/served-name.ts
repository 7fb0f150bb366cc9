import { lstat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { digestFile } from '#content/digest/digests';
import { portableName } from '#core/text/safe-path';
import type { Source } from '#core/source';
import { provenTarget, type ExistingTarget, type ExpectedTarget } from './target/existing-target.ts';
import { lastName } from './locator.ts';

/** Ends a fetch: the file is on this disk already, proven, under the name that the server gives it. */
export class FileUnderServedName extends Error {
  readonly path: string;
  readonly existing: ExistingTarget;

  constructor(path: string, existing: ExistingTarget) {
    super(`${path} is here already`);
    this.path = path;
    this.existing = existing;
  }
}

/** The name that a server gives a file: that of the first answer that has one. */
export class ServedName {
  readonly #target: string;
  readonly #expected: ExpectedTarget;
  readonly #found = new AbortController();
  #place: string | undefined;

  /** @param target path of the file when no server names it */
  constructor(target: string, expected: ExpectedTarget) {
    this.#target = target;
    this.#expected = expected;
  }

  /** Aborted with FileUnderServedName. */
  get found(): AbortSignal {
    return this.#found.signal;
  }

  /** Wraps a source, so that its answers are searched for the name. */
  readonly listeningTo = (inner: Source): Source => ({
    ...inner,
    read: (request, sink, signal) => {
      const head: typeof sink.head = (answer) => {
        this.#learn(answer.fileName, signal);
        sink.head(answer);
      };
      return inner.read(request, { head, write: (chunk) => sink.write(chunk) }, signal);
    },
  });

  /**
   * @param sha256 of the complete file
   * @returns the path under the name that the server gave, unless another file has that name: a server may not replace local files
   */
  async placeFor(sha256: string): Promise<string> {
    const place = this.#place;
    if (place === undefined) return this.#target;
    const facts = await lstat(place).catch(() => undefined);
    if (facts === undefined) return place;
    const isSame = facts.isFile() && (await digestFile(place, ['sha256'])).digests.sha256 === sha256;
    return isSame ? place : this.#target;
  }

  #learn(served: string | undefined, signal: AbortSignal): void {
    if (this.#place !== undefined || served === undefined) return;
    const name = servedFileName(served);
    if (name === undefined) return;
    const place = join(dirname(this.#target), name);
    this.#place = place;
    if (place === this.#target) return;
    void provenTarget(place, this.#expected, signal).then(
      (existing) => existing && this.#found.abort(new FileUnderServedName(place, existing)),
      () => undefined, // a file that cannot be read is fetched
    );
  }
}

/** Keeps the last name of a path, without leading dots, in a form that every system accepts. */
function servedFileName(served: string): string | undefined {
  const name = lastName(served)?.replace(/^\.+/, '').trim();
  return name === undefined || name === '' ? undefined : portableName(name);
}
