import { parseCid } from '#content/cid/cid';
import type { AnnouncedFile } from '#contracts/swarm';
import { BoundedMap } from '#core/bounded-map';
import { SECOND_MS } from '#core/units';
import { fetchableFiles, type FetchableFile } from '#database/hosts/swarm-hosts';
import type { Dependencies } from '../dependencies.ts';
import { RequestError } from '../server/errors/request-error.ts';
import type { Announcer } from './announcer.ts';

/** So long a host may fetch for an older rollout after a newer one took it. */
const ALLOWED_MS = 15 * SECOND_MS;
/** A download may be created a moment after its host first asks. */
const REFUSED_MS = 2 * SECOND_MS;
const MAX_REMEMBERED = 100_000;

/** Which files a host may take part in: those that a download of it names. To know a CID is not enough. */
export class Entitlements {
  readonly #deps: Pick<Dependencies, 'database' | 'now'>;
  readonly #known = new BoundedMap<{ readonly file: FetchableFile | undefined; readonly until: number }>({
    capacity: MAX_REMEMBERED,
  });

  constructor(deps: Pick<Dependencies, 'database' | 'now'>) {
    this.#deps = deps;
  }

  /**
   * @returns the files that the host may fetch, by their CID as they are announced
   * @throws RequestError for a name that is of another CID
   */
  async of({ host, mayPool }: Announcer, files: readonly AnnouncedFile[]): Promise<ReadonlyMap<string, FetchableFile>> {
    const names = new Map(files.map((file, index) => [file.cid, nameOf(file, index)]));
    const nowMs = this.#deps.now().getTime();
    const asked = [...names.values()].filter((name) => !this.#isFresh(host, name, nowMs));
    if (asked.length > 0) {
      const found = await fetchableFiles(this.#deps.database, host, mayPool, asked);
      for (const name of asked) {
        const file = found.find(({ cid }) => cid === name);
        this.#known.set(`${host} ${name}`, { file, until: nowMs + (file === undefined ? REFUSED_MS : ALLOWED_MS) });
      }
    }
    return new Map(
      [...names].flatMap(([cid, name]) => {
        const file = this.#known.peek(`${host} ${name}`)?.file;
        return file === undefined ? [] : [[cid, file] as const];
      }),
    );
  }

  #isFresh(host: string, name: string, nowMs: number): boolean {
    const known = this.#known.get(`${host} ${name}`);
    return known !== undefined && known.until > nowMs;
  }
}

/** The CID as downloads of the host name it. */
function nameOf({ cid, named = cid }: AnnouncedFile, index: number): string {
  if (named !== cid && cidOf(named) !== cid)
    throw new RequestError('invalid-request', 'a file is announced under the name of another one', {
      errors: [{ pointer: `/files/${index}/named`, detail: `write the same CID as in \`cid\`, ${cid}`, value: named }],
    });
  return named;
}

function cidOf(text: string): string | undefined {
  try {
    return parseCid(text).cid;
  } catch {
    return undefined; // a text that is no CID names no file
  }
}
