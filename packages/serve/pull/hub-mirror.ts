import { createHash } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BoundedMap } from '#core/bounded-map';
import { SourceError } from '#core/failure';
import type { Logger } from '#core/logger';
import { badRevisionReason } from '#core/text/hub-name';
import { matchesPattern } from '#core/text/name-pattern';
import { parseJson } from '#core/text/parse-json';
import { unsafePathReason } from '#core/text/safe-path';
import { MINUTE_MS, SECOND_MS } from '#core/units';
import { nodeFiles } from '#os/file-calls';
import { ifPresent } from '#os/if-present';
import { writeAtomically } from '#os/write-file';
import { hubRevision, hubTree, type HubEntry, type HubRepo } from '#sources/hub/hub-api';
import { repoKey } from '../hub/hub-repo.ts';
import type { RepoName } from '../hub/hub-request.ts';
import type { Upstream } from './pull-files.ts';

/** One file of a mirrored repository. */
export interface MirrorFile {
  readonly path: string;
  readonly sizeBytes: number;
  /** Of large files; of small ones `git` is known. */
  readonly sha256?: string | undefined;
  readonly git?: string | undefined;
}

/** A repository of the hub at one commit. */
export interface MirrorRevision {
  readonly commit: string;
  readonly files: readonly MirrorFile[];
}

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
  /** Folder of what is remembered. */
  readonly folder: string;
  readonly logger: Logger;
  readonly now?: (() => number) | undefined;
}

const COMMIT = /^[0-9a-f]{40}$/;
/** How long the commit of a branch is believed without asking again. */
const FRESH_MS = MINUTE_MS;
/** Clients give up after ten seconds. */
const ASK_MS = 8 * SECOND_MS;

interface Ref {
  readonly commit: string;
  readonly askedAt: number;
}

export function hubMirror(options: HubMirrorOptions): HubMirror {
  const { allow, now = Date.now } = options;
  const memory = new BoundedMap<MirrorRevision>({ capacity: 200 });
  const refs = new BoundedMap<Ref>({ capacity: 10_000 });
  const refusals = new BoundedMap<{ readonly answer: MirrorAnswer; readonly askedAt: number }>({ capacity: 10_000 });
  const asking = new Map<string, Promise<MirrorAnswer>>();
  const disk = mirrorFiles(options.folder);

  const known = async (key: string, commit: string): Promise<MirrorRevision | undefined> =>
    memory.get(`${key}@${commit}`) ?? (await disk.revision(key, commit));

  const ask = async (repo: RepoName, key: string, revision: string): Promise<MirrorAnswer> => {
    try {
      const found = await askHub(repo, revision, options.upstream, (commit) => known(key, commit));
      memory.set(`${key}@${found.commit}`, found);
      refs.set(`${key}@${revision}`, { commit: found.commit, askedAt: now() });
      await disk.keep(key, revision, found);
      return { is: 'known', revision: found };
    } catch (error) {
      const refusal = refusalOf(error);
      if (refusal !== undefined) {
        const answer = { is: 'refused', what: refusal } as const;
        return refusals.set(`${key}@${revision}`, { answer, askedAt: now() }).answer;
      }
      options.logger.warn({ err: error, repo: repo.name, revision }, 'the hub does not answer');
      const commit = refs.peek(`${key}@${revision}`)?.commit ?? (await disk.commitOf(key, revision));
      const kept = commit === undefined ? undefined : await known(key, commit);
      return kept === undefined ? { is: 'away' } : { is: 'known', revision: kept };
    }
  };

  return {
    allows: ({ name }) => allow.some((pattern) => matchesPattern(pattern, name)),
    async revision(repo, revision) {
      const key = repoKey(repo.type, repo.name);
      if (badRevisionReason(revision) !== undefined) return { is: 'refused', what: 'RevisionNotFound' };
      const ref = COMMIT.test(revision) ? { commit: revision, askedAt: Infinity } : refs.get(`${key}@${revision}`);
      const held = ref !== undefined && now() - ref.askedAt < FRESH_MS ? await known(key, ref.commit) : undefined;
      if (held !== undefined) return { is: 'known', revision: memory.set(`${key}@${held.commit}`, held) };
      const asked = `${key}@${revision}`;
      const refused = refusals.get(asked);
      if (refused !== undefined && now() - refused.askedAt < FRESH_MS) return refused.answer;
      const running = asking.get(asked) ?? ask(repo, key, revision).finally(() => asking.delete(asked));
      asking.set(asked, running);
      return running;
    },
  };
}

async function askHub(
  { type, name }: RepoName,
  revision: string,
  { http, hfEndpoint: endpoint, hfToken: token }: Upstream,
  known: (commit: string) => Promise<MirrorRevision | undefined>,
): Promise<MirrorRevision> {
  const signal = AbortSignal.timeout(ASK_MS);
  const at = (one: string): HubRepo => {
    const repo = { http, endpoint, token, repo: name, repoType: type, revision: one };
    return { ...repo, trusted: true };
  };
  const { commit } = await hubRevision(at(revision), signal);
  return (await known(commit)) ?? { commit, files: (await hubTree(at(commit), signal)).flatMap(fileOf) };
}

/** What nothing proves, and a path that leaves its folder, are not served. */
function fileOf({ path, sizeBytes, sha256, gitSha1 }: HubEntry): MirrorFile[] {
  if (unsafePathReason(path, 'posix') !== undefined || (sha256 ?? gitSha1) === undefined) return [];
  return [{ path, sizeBytes, ...(sha256 === undefined ? { git: gitSha1 } : { sha256 }) }];
}

function refusalOf(error: unknown): 'RepoNotFound' | 'RevisionNotFound' | 'GatedRepo' | undefined {
  if (!(error instanceof SourceError)) return undefined;
  if (error.kind === 'missing') return /no such revision/.test(error.message) ? 'RevisionNotFound' : 'RepoNotFound';
  if (error.kind !== 'forbidden') return undefined;
  return /gated/.test(error.message) ? 'GatedRepo' : 'RepoNotFound';
}

/** What is remembered on the disk: files by commit, and the commit that a branch had last. Losing it costs a question to the hub. */
function mirrorFiles(folder: string) {
  const pathOf = (kind: 'commit' | 'ref', key: string, revision: string): string =>
    join(folder, `${kind}-${createHash('sha256').update(`${key}@${revision}`).digest('hex')}.json`);
  const read = async (path: string): Promise<unknown> => {
    const text = await ifPresent(readFile(path, 'utf8'));
    return text === undefined ? undefined : parseJson(text);
  };
  return {
    async revision(key: string, commit: string): Promise<MirrorRevision | undefined> {
      const value = Object(await read(pathOf('commit', key, commit))) as Partial<MirrorRevision>;
      return value.commit === commit && Array.isArray(value.files) ? (value as MirrorRevision) : undefined;
    },
    async commitOf(key: string, revision: string): Promise<string | undefined> {
      const { commit } = Object(await read(pathOf('ref', key, revision))) as { commit?: unknown };
      return typeof commit === 'string' && COMMIT.test(commit) ? commit : undefined;
    },
    async keep(key: string, revision: string, found: MirrorRevision): Promise<void> {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await writeAtomically(nodeFiles, pathOf('commit', key, found.commit), JSON.stringify(found));
      await writeAtomically(nodeFiles, pathOf('ref', key, revision), JSON.stringify({ commit: found.commit }));
    },
  };
}
