import type { FastifyReply, FastifyRequest } from 'fastify';
import { BoundedMap } from '#core/bounded-map';
import { SECOND_MS } from '#core/units';
import { hostOfWorkerToken } from '#database/access/host-keys';
import { siteOfHost } from '#database/hosts/swarm-hosts';
import { hashOfToken, pepperOf } from '../access/authenticate.ts';
import { readCredentials } from '../access/credentials.ts';
import type { RequestLimits } from '../access/request-limits.ts';
import { mayBeToken } from '../access/token-format.ts';
import type { Dependencies } from '../dependencies.ts';
import { RequestError } from '../server/errors/request-error.ts';

/** The enrolled host that announces. */
export interface Announcer {
  /** In the form that names are compared in. */
  readonly host: string;
  readonly mayPool: boolean;
  readonly site: string;
  /** How fast bytes may enter the site, over all of its hosts; null: no limit. */
  readonly bytesPerSecond: number | null;
}

/** A host that was revoked announces for at most this long; a new label `site`, or limit of the site, counts after it. */
const REMEMBERED_MS = 5 * SECOND_MS;
const MAX_REMEMBERED = 10_000;

/** Knows hosts by their worker tokens; hosts announce often, so each is looked up every few seconds only. */
export class Announcers {
  readonly #deps: Pick<Dependencies, 'database' | 'now'>;
  readonly #limits: RequestLimits;
  readonly #known = new BoundedMap<{ readonly announcer: Announcer; readonly until: number }>({
    capacity: MAX_REMEMBERED,
  });
  #pepper: string | undefined;

  constructor(deps: Pick<Dependencies, 'database' | 'now'>, limits: RequestLimits) {
    this.#deps = deps;
    this.#limits = limits;
  }

  /** @throws RequestError without the token of an enrolled host, and for too many requests */
  async of(request: FastifyRequest, reply: FastifyReply): Promise<Announcer> {
    const credentials = readCredentials(request.headers.authorization);
    const token = credentials?.scheme === 'bearer' ? credentials.token : '';
    const announcer = mayBeToken(token) ? await this.#lookUp(token) : undefined;
    if (announcer !== undefined) {
      await this.#limits.ofHost(request, reply);
      return announcer;
    }
    await this.#limits.ofStranger(request, reply);
    void reply.header('www-authenticate', 'Bearer realm="haulier"');
    throw new RequestError(
      'unauthenticated',
      'send the token of an enrolled host: "Authorization: Bearer haulier_wrk_…"; this one is missing or unknown, or its host was revoked',
    );
  }

  async #lookUp(token: string): Promise<Announcer | undefined> {
    const { database, now } = this.#deps;
    const at = now();
    this.#pepper ??= await pepperOf(database, at);
    const hash = hashOfToken(token, this.#pepper);
    const known = this.#known.get(hash);
    if (known !== undefined && known.until > at.getTime()) return known.announcer;
    const key = await hostOfWorkerToken(database, hash);
    if (key === undefined) return undefined;
    const announcer = { host: key.host, mayPool: key.mayPool, ...(await siteOfHost(database, key.host)) };
    this.#known.set(hash, { announcer, until: at.getTime() + REMEMBERED_MS });
    return announcer;
  }
}
