import type { Reader } from '../blocks/held-blocks.ts';
import type { HubMirror } from '../pull/hub-mirror.ts';
import type { MirrorRevision } from '../pull/mirror-files.ts';
import { repoKey, revisionOf, type HubRepository, type RepoRevision } from './hub-repo.ts';
import type { HubRequest, RepoName } from './hub-request.ts';

/** A repository at a revision, and where it is known from. */
export interface FoundRevision {
  readonly repo: RepoName;
  readonly revision: RepoRevision;
  readonly isPrivate: boolean;
  /** Names of the store's own repository; of a mirrored one `main` alone is known. */
  readonly refs: ReadonlyMap<string, string>;
  /** Files that are not here can be fetched. */
  readonly isMirrored: boolean;
}

export type RefusedRevision =
  | { readonly refused: 'RepoNotFound' | 'RevisionNotFound' | 'GatedRepo' }
  /** The hub does not answer, and the store does not know the repository. */
  | { readonly refused: 'hub-away' };

export interface RevisionParts {
  readonly repos: ReadonlyMap<string, HubRepository>;
  readonly reader: Reader;
  readonly isPrivate: (model: string) => boolean;
  readonly mirror: HubMirror | undefined;
}

type Asked = Exclude<HubRequest, { readonly ask: 'whoami' }>;

/**
 * Finds a repository at a revision: at the hub where that is allowed, and in the store. What the hub says counts first, because a store may
 * have only some of the files; where the hub knows nothing or is away, the store answers.
 */
export async function findRevision(asked: Asked, parts: RevisionParts): Promise<FoundRevision | RefusedRevision> {
  const name = 'revision' in asked ? asked.revision : 'main';
  const own = ownRevision(asked, name, parts);
  // What the hub knows of a private model is private too.
  if (own === 'hidden') return { refused: 'RepoNotFound' };
  const isAllowed = parts.mirror?.allows(asked.repo) === true;
  const answer = isAllowed ? await parts.mirror!.revision(asked.repo, name === 'HEAD' ? 'main' : name) : undefined;
  if (answer?.is === 'known') return mirrored(asked.repo, answer.revision);
  if (!('refused' in own) || answer === undefined) return own;
  return { refused: answer.is === 'away' ? 'hub-away' : answer.what };
}

/** @returns `hidden` for a repository of which the reader may read nothing */
function ownRevision(
  asked: Asked,
  name: string,
  { repos, reader, isPrivate }: RevisionParts,
): FoundRevision | RefusedRevision | 'hidden' {
  const repo = repos.get(repoKey(asked.repo.type, asked.repo.name));
  if (repo === undefined) return { refused: 'RepoNotFound' };
  if (![...repo.models].some((model) => reader.mayReadModel(model))) return 'hidden';
  const revision = revisionOf(repo, name);
  const isHere = asked.ask === 'file' && revision?.files.has(asked.path) === true;
  if (revision === undefined || (!revision.isWhole && !isHere)) return { refused: 'RevisionNotFound' };
  const listed = [...repo.refs].filter(([, commit]) => repo.byCommit.get(commit)?.isWhole);
  return {
    ...{ repo: asked.repo, revision, refs: new Map(listed), isMirrored: false },
    isPrivate: [...repo.models].every(isPrivate),
  };
}

/** Clients need a date, also where the hub tells none. */
const NO_DATE = new Date(0).toISOString();

function mirrored(repo: RepoName, { commit, files, about }: MirrorRevision): FoundRevision {
  const named = files.map(
    ({ path, sizeBytes, sha256, git }) => [path, { path, sizeBytes, sha256, git, isGone: false }] as const,
  );
  return {
    repo,
    revision: { commit, files: new Map(named), isWhole: true, modifiedAt: about?.lastModified ?? NO_DATE, about },
    isPrivate: false,
    refs: new Map([['main', commit]]),
    isMirrored: true,
  };
}
