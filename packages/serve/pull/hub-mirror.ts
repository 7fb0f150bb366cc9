import { setTimeout as wait } from 'node:timers/promises';
import { BoundedMap } from '#core/bounded-map';
import { SourceError, type SourceFailureKind } from '#core/failure';
import type { Logger } from '#core/logger';
import { badRevisionReason } from '#core/text/hub-name';
import { matchesPattern } from '#core/text/name-pattern';
import { unsafePathReason } from '#core/text/safe-path';
import { MINUTE_MS, SECOND_MS } from '#core/units';
import { keepingPauses } from '#sources/guards/keeping-pauses';
import type { SourceHealth } from '#sources/guards/source-health';
import { hubApi, hubRevision, hubTree, type HubEntry, type HubRepo } from '#sources/hub/hub-api';
import { repoKey } from '../hub/hub-repo.ts';
import type { RepoName } from '../hub/hub-request.ts';
import { mirrorFiles, type MirrorFile, type MirrorFilesOptions, type MirrorRevision } from './mirror-files.ts';
import type { Upstream } from './pull-files.ts';

/**
 * - `refused`  the hub says that there is no such repository or revision, or that it is gated
 * - `away`     the hub does not answer, and nothing is known from before
 */
export type MirrorAnswer =
  | { readonly is: 'known'; readonly revision: MirrorRevision }
  | { readonly is: 'refused'; readonly what: 'RepoNotFound' | 'RevisionNotFound' | 'GatedRepo' }
  | { readonly is: 'away' };

export interface HubMirror {
  /** Whether the repository may be asked for at the hub. */
  allows(repo: RepoName): boolean;
  /** What the hub says of a revision: asked for at most every minute, remembered by commit, and kept on the disk for when it is away. */
  revision(repo: RepoName, revision: string): Promise<MirrorAnswer>;
}

export interface HubMirrorOptions {
  /** Patterns of `owner/name`, in which `*` stands for any characters. */
  readonly allow: readonly string[];
  readonly upstream: Upstream;
  /** Pauses that servers asked for. */
  readonly health: SourceHealth;
  /** Folder of what is remembered. */
  readonly folder: string;
  /** Whether the store has the content of a file; what the hub said of its repository is not deleted then. */
  readonly isHere: MirrorFilesOptions['isHere'];
  readonly logger: Logger;
  readonly now?: (() => number) | undefined;
  /** Longest wait of a client for an answer of the hub, in milliseconds; default 8,000. */
  readonly waitMs?: number | undefined;
}

const COMMIT = /^[0-9a-f]{40}$/;
/** How long the commit of a branch is believed without asking again. */
const FRESH_MS = MINUTE_MS;
/** Clients give up after ten seconds. */
const ASK_MS = 8 * SECOND_MS;
/** Of a long list, which goes on for the next client when the first one has waited long enough. */
const LIST_MS = MINUTE_MS;

/**
 * A hub that gave no answer is not asked again for so long: clients ask for twenty files one after another, and each would wait. It is
 * longer where the hub says so, up to the second bound.
 */
const AWAY_MS = 15 * SECOND_MS;
const MAX_AWAY_MS = 5 * MINUTE_MS;

interface Ref {
  readonly commit: string;
  readonly askedAt: number;
}

export function hubMirror(options: HubMirrorOptions): HubMirror {
  const { allow, now = Date.now, waitMs = ASK_MS } = options;
  const { known, keep, fromBefore, refs } = mirrorMemory(options);
  const refusals = new BoundedMap<{ readonly answer: MirrorAnswer; readonly askedAt: number }>({ capacity: 10_000 });
  const asking = new Map<string, Promise<MirrorAnswer>>();
  let awayUntil = 0;

  const ask = async (repo: RepoName, key: string, revision: string): Promise<MirrorAnswer> => {
    try {
      const found = await askHub(repo, revision, options, waitMs, (commit) => known(key, commit));
      await keep(key, revision, { found, askedAt: now() });
      return { is: 'known', revision: found };
    } catch (error) {
      const refusal = refusalOf(error);
      if (refusal !== undefined) {
        const answer = await refusedAnswer(refusal, () => fromBefore(key, revision));
        if (!refusal.isNamed) options.logger.warn({ err: error, repo: repo.name, revision }, 'the hub refuses');
        return refusals.set(`${key}@${revision}`, { answer, askedAt: now() }).answer;
      }
      options.logger.warn({ err: error, repo: repo.name, revision }, 'the hub does not answer');
      awayUntil = Math.max(awayUntil, now() + awayMsOf(error));
      return fromBefore(key, revision);
    }
  };

  return {
    allows: ({ name }) => allow.some((pattern) => matchesPattern(pattern, name)),
    async revision(repo, revision) {
      const key = repoKey(repo.type, repo.name);
      if (badRevisionReason(revision) !== undefined) return { is: 'refused', what: 'RevisionNotFound' };
      const asked = `${key}@${revision}`;
      const ref = COMMIT.test(revision) ? { commit: revision, askedAt: Infinity } : refs.get(asked);
      const held = ref !== undefined && now() - ref.askedAt < FRESH_MS ? await known(key, ref.commit) : undefined;
      if (held !== undefined) return { is: 'known', revision: held };
      const refused = refusals.get(asked);
      if (refused !== undefined && now() - refused.askedAt < FRESH_MS) return refused.answer;
      if (now() < awayUntil) return fromBefore(key, revision);
      const running = asking.get(asked) ?? ask(repo, key, revision).finally(() => asking.delete(asked));
      asking.set(asked, running);
      return Promise.race([running, wait(waitMs, undefined, { ref: false }).then(() => fromBefore(key, revision))]);
    },
  };
}

/** What the hub said: in memory, and on the disk for when it is away. */
function mirrorMemory({ folder, isHere, logger, now = Date.now }: HubMirrorOptions) {
  const revisions = new BoundedMap<MirrorRevision>({ capacity: 200 });
  const refs = new BoundedMap<Ref>({ capacity: 10_000 });
  const disk = mirrorFiles({ folder, isHere, logger, now });
  const known = async (key: string, commit: string): Promise<MirrorRevision | undefined> => {
    const found = revisions.get(`${key}@${commit}`) ?? (await disk.revision(key, commit));
    if (found === undefined) return undefined;
    await disk.noteUse('commit', key, commit);
    return revisions.set(`${key}@${commit}`, found);
  };
  return {
    refs,
    known,
    async keep(key: string, revision: string, { found, askedAt }: { found: MirrorRevision; askedAt: number }) {
      revisions.set(`${key}@${found.commit}`, found);
      refs.set(`${key}@${revision}`, { commit: found.commit, askedAt });
      await disk.keep(key, revision, found);
    },
    async fromBefore(key: string, revision: string): Promise<MirrorAnswer> {
      const commit = refs.peek(`${key}@${revision}`)?.commit ?? (await disk.commitOf(key, revision));
      const kept = commit === undefined ? undefined : await known(key, commit);
      if (kept !== undefined) await disk.noteUse('ref', key, revision);
      return kept === undefined ? { is: 'away' } : { is: 'known', revision: kept };
    },
  };
}

/** @returns how long the hub is left alone; 0 for an answer that says nothing about other repositories */
function awayMsOf(error: unknown): number {
  if (!(error instanceof SourceError)) return 0;
  if (!NO_ANSWER.has(error.kind)) return 0;
  return Math.min(Math.max(error.retryAfterMs ?? 0, AWAY_MS), MAX_AWAY_MS);
}

const NO_ANSWER: ReadonlySet<SourceFailureKind> = new Set(['unreachable', 'timed-out', 'throttled']);

async function askHub(
  { type, name }: RepoName,
  revision: string,
  { upstream: { http, hfEndpoint: endpoint, hfToken: token }, health }: Pick<HubMirrorOptions, 'upstream' | 'health'>,
  askMs: number,
  known: (commit: string) => Promise<MirrorRevision | undefined>,
): Promise<MirrorRevision> {
  const at = (one: string): HubRepo => {
    const repo = { http, endpoint, token, repo: name, repoType: type, revision: one };
    return { ...repo, trusted: true };
  };
  const server = hubApi(endpoint);
  const inTime = <Answer>(ms: number, ask: (signal: AbortSignal) => Promise<Answer>): Promise<Answer> =>
    keepingPauses(health, server, () => answeredIn(ms, ask));
  const { commit, about } = await inTime(askMs, (signal) => hubRevision(at(revision), signal));
  const before = await known(commit);
  if (before !== undefined) return before;
  const entries = await inTime(LIST_MS, (signal) => hubTree(at(commit), signal));
  return { commit, files: entries.flatMap(fileOf), about };
}

/** Asks the hub. @throws SourceError of the kind `timed-out` when the answer is not complete in time */
async function answeredIn<Answer>(ms: number, asked: (signal: AbortSignal) => Promise<Answer>): Promise<Answer> {
  const signal = AbortSignal.timeout(ms);
  try {
    return await asked(signal);
  } catch (cause) {
    if (!signal.aborted) throw cause;
    throw new SourceError('timed-out', 'hub', `no complete answer within ${ms / SECOND_MS} s`, { cause });
  }
}

/** What nothing proves, and a path that leaves its folder, are not served. */
function fileOf({ path, sizeBytes, sha256, gitSha1 }: HubEntry): MirrorFile[] {
  if (unsafePathReason(path, 'posix') !== undefined || (sha256 ?? gitSha1) === undefined) return [];
  return [{ path, sizeBytes, ...(sha256 === undefined ? { git: gitSha1 } : { sha256 }) }];
}

interface Refusal {
  readonly what: 'RepoNotFound' | 'RevisionNotFound' | 'GatedRepo';
  /** The hub named the reason (`X-Error-Code`). Without it the answer may be that of a proxy, or about a token that has ended. */
  readonly isNamed: boolean;
}

function refusalOf(error: unknown): Refusal | undefined {
  if (!(error instanceof SourceError)) return undefined;
  const { kind, message, namesReason: isNamed } = error;
  if (kind === 'missing')
    return { what: /no such revision/.test(message) ? 'RevisionNotFound' : 'RepoNotFound', isNamed };
  if (kind !== 'forbidden') return undefined;
  return { what: /gated/.test(message) ? 'GatedRepo' : 'RepoNotFound', isNamed };
}

/** A refusal without a reason takes nothing away that the hub described before. */
async function refusedAnswer(
  { what, isNamed }: Refusal,
  fromBefore: () => Promise<MirrorAnswer>,
): Promise<MirrorAnswer> {
  const before = isNamed ? undefined : await fromBefore();
  return before?.is === 'known' ? before : { is: 'refused', what };
}
