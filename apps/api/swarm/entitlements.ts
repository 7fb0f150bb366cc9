import { parseCid } from '#content/cid/cid';
import type { AnnouncedFile } from '#contracts/swarm';
import { BoundedMap } from '#core/bounded-map';
import { MINUTE_MS, SECOND_MS } from '#core/units';
import { fetchableCids } from '#database/hosts/swarm-hosts';
import type { Dependencies } from '../dependencies.ts';
import { RequestError } from '../server/errors/request-error.ts';
import type { Announcer } from './announcer.ts';

const ALLOWED_MS = MINUTE_MS;
/** A download may be created a moment after its host first asks. */
const REFUSED_MS = 2 * SECOND_MS;
const MAX_REMEMBERED = 100_000;

/** Which files a host may take part in: those that a download of it names. To know a CID is not enough. */
export class Entitlements {
  readonly #deps: Pick<Dependencies, 'database' | 'now'>;
  readonly #known = new BoundedMap<{ readonly isAllowed: boolean; readonly until: number }>({
    capacity: MAX_REMEMBERED,
  });

  constructor(deps: Pick<Dependencies, 'database' | 'now'>) {
    this.#deps = deps;
  }

  /**
   * @returns the CIDs of the files that the host may fetch
   * @throws RequestError for a name that is of another CID
   */
  async of({ host, mayPool }: Announcer, files: readonly AnnouncedFile[]): Promise<ReadonlySet<string>> {
    const names = new Map(files.map((file, index) => [file.cid, nameOf(file, index)]));
    const nowMs = this.#deps.now().getTime();
    const asked = [...names.values()].filter((name) => !this.#isFresh(host, name, nowMs));
    if (asked.length > 0) {
      const found = await fetchableCids(this.#deps.database, host, mayPool, asked);
      for (const name of asked) {
        const isAllowed = found.has(name);
        this.#known.set(`${host} ${name}`, { isAllowed, until: nowMs + (isAllowed ? ALLOWED_MS : REFUSED_MS) });
      }
    }
    const allowed = [...names].filter(([, name]) => this.#known.peek(`${host} ${name}`)?.isAllowed === true);
    return new Set(allowed.map(([cid]) => cid));
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
