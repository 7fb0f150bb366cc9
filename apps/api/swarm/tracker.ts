import { canonicalCid } from '#content/cid/canonical-cid';
import type { AnnounceBody, AnnouncedFile, Announced, AnsweredFile } from '#contracts/swarm';
import { BoundedMap } from '#core/bounded-map';
import { LEECHING_INTERVAL_MS, QUARANTINE_MS, SEEDING_INTERVAL_MS } from '#core/swarm/lease-time';
import { hostKey } from '#core/text/host-name';
import { SECOND_MS } from '#core/units';
import { awaitedCids } from '#database/hosts/swarm-hosts';
import { ensureSetting } from '#database/sql/setting-queries';
import { makePeerTokenKey, PEER_TOKEN_MS, publicHalfOf, signPeerToken } from '#http/peer-token';
import { noteSwarms } from '#queue/swarm/list-swarms';
import { shareOriginPauses } from '#queue/swarm/origin-pauses';
import { isQuarantined, strike } from '#queue/swarm/quarantine';
import { recordLocalWrite } from '../access/audit/audit-writes.ts';
import type { Dependencies } from '../dependencies.ts';
import { RequestError } from '../server/errors/request-error.ts';
import { announceFile } from './announce-file.ts';
import type { Announcer } from './announcer.ts';
import { Entitlements } from './entitlements.ts';
import { partOfSite } from './site-parts.ts';

type TrackerDeps = Pick<Dependencies, 'database' | 'queues' | 'prefix' | 'now' | 'log'>;

/** A swarm is noted in the list of all swarms at most this often by one process. */
const NOTED_EVERY_MS = 5 * SECOND_MS;
const MAX_NOTED = 10_000;
/** A token is given again while it is good for at least this long. */
const LEAST_LEFT_MS = PEER_TOKEN_MS / 2;
/** Files that a token is good for beside those that are announced: while this API is away, hosts show it to each other for files that they begin. */
const MOST_AWAITED = 32;
/** Tokens that are remembered; a host has one at a time. */
const MOST_GIVEN = 4096;

interface GivenToken {
  readonly text: string;
  /** CIDs that it names. */
  readonly cids: readonly string[];
  /** Wall clock, milliseconds. */
  readonly untilMs: number;
}

/** Introduces the hosts of a fleet to each other, and divides the pieces of files among them. Its state is in Redis. */
export class Tracker {
  readonly #deps: TrackerDeps;
  readonly #entitlements: Entitlements;
  /** When swarms were noted in the list of all swarms. */
  readonly #noted = new BoundedMap<number>({ capacity: MAX_NOTED });
  readonly #given = new BoundedMap<GivenToken>({ capacity: MOST_GIVEN });
  #key: Promise<string> | undefined;

  constructor(deps: TrackerDeps) {
    this.#deps = deps;
    this.#entitlements = new Entitlements(deps);
  }

  /** @throws RequestError for a host that announces another one */
  async announce(announcer: Announcer, body: AnnounceBody): Promise<Announced> {
    if (hostKey(body.host) !== announcer.host)
      throw new RequestError('forbidden', `the token is of the host "${announcer.host}" (got "${body.host}")`);
    const { queues, prefix } = this.#deps;
    const allowed = await this.#entitlements.of(announcer, body.files);
    const quarantined = await isQuarantined(queues.redis, prefix, announcer.host);
    const isLeeching = body.isFetching || body.files.some(({ state }) => state === 'leeching');
    const intervalMs = isLeeching ? LEECHING_INTERVAL_MS : SEEDING_INTERVAL_MS;
    const files = await Promise.all(
      body.files.map((file) => {
        const own = allowed.get(file.cid);
        if (own === undefined) return foreign(file);
        return announceFile(this.#deps, {
          ...{ announcer, body, file, allowed: own, intervalMs, isQuarantined: quarantined },
        });
      }),
    );
    for (const file of body.files) if (allowed.has(file.cid)) await this.#strike(announcer, file);
    await this.#note(body.files.filter(({ cid, state }) => allowed.has(cid) && state !== 'gone'));
    const originPauses = await this.#pauses(isLeeching, quarantined ? [] : body.originPauses);
    const limits = { outsideBytesPerSecond: await partOfSite(this.#deps, announcer, body, files) };
    const token = allowed.size === 0 ? undefined : await this.#tokenOf(announcer.host, [...allowed.keys()]);
    const tokenEndsInMs = token === undefined ? 0 : token.untilMs - this.#deps.now().getTime();
    return { intervalMs, site: announcer.site, token: token?.text ?? null, tokenEndsInMs, limits, originPauses, files };
  }

  /** @returns 32 bytes in base64url, with which hosts check peer tokens */
  async publicKey(): Promise<string> {
    return publicHalfOf(await this.#privateKey());
  }

  /** Pauses that origins asked hosts for; nothing for a host that neither fetches nor was asked for one. */
  async #pauses(isLeeching: boolean, asked: AnnounceBody['originPauses']): Promise<Announced['originPauses']> {
    if (!isLeeching && asked.length === 0) return undefined;
    return shareOriginPauses(this.#deps.queues.redis, this.#deps.prefix, asked);
  }

  #privateKey(): Promise<string> {
    const { database, now } = this.#deps;
    this.#key ??= ensureSetting(database, 'peer_token_key', makePeerTokenKey(), now()).catch((error: unknown) => {
      this.#key = undefined;
      throw error;
    });
    return this.#key;
  }

  /** The same token for some minutes: hosts check the signature of each token once. @param announced files that the host may fetch */
  async #tokenOf(host: string, announced: readonly string[]): Promise<GivenToken> {
    const { database, now } = this.#deps;
    const given = this.#given.get(host);
    const isGood = given !== undefined && given.untilMs - now().getTime() > LEAST_LEFT_MS;
    if (isGood && announced.every((cid) => given.cids.includes(cid))) return given;
    const awaited = await awaitedCids(database, host, MOST_AWAITED);
    const cids = [...new Set([...announced, ...awaited.map(canonicalCid)])].sort();
    const untilMs = now().getTime() + PEER_TOKEN_MS;
    const text = signPeerToken(await this.#privateKey(), { host, cids, untilMs });
    return this.#given.set(host, { text, cids, untilMs });
  }

  async #note(files: readonly AnnouncedFile[]): Promise<void> {
    const now = this.#deps.now().getTime();
    const due = files.filter(({ cid, sizeBytes }) => {
      const at = this.#noted.peek(`${cid} ${sizeBytes}`);
      return at === undefined || now - at >= NOTED_EVERY_MS;
    });
    for (const { cid, sizeBytes } of due) this.#noted.set(`${cid} ${sizeBytes}`, now);
    await noteSwarms(this.#deps.queues.redis, this.#deps.prefix, due, now);
  }

  async #strike({ host: reporter }: Announcer, { cid, blame }: AnnouncedFile): Promise<void> {
    const { database, queues, prefix, now, log } = this.#deps;
    for (const { host: shown, piece } of blame.filter(({ reason }) => reason === 'wrong-bytes')) {
      const host = hostKey(shown);
      if (host === reporter || !(await strike(queues.redis, prefix, host, reporter))) continue;
      const after = { cid, piece, reporter, endsAt: new Date(now().getTime() + QUARANTINE_MS).toISOString() };
      log.warn({ host, ...after }, 'a host sent wrong bytes to several others: they fetch nothing from it for a while');
      const write = { actor: 'the tracker', action: 'quarantineHost', target: `hosts/${host}`, after };
      await recordLocalWrite(database, { ...write, now: now() });
    }
  }
}

const foreign = ({ cid }: AnnouncedFile): AnsweredFile => ({ cid, leases: [], peers: [], leave: [], wait: 'foreign' });
