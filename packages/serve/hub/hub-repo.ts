import { createHash } from 'node:crypto';
import type { HubRepoType } from '#core/text/hub-name';
import type { HubAbout } from '#sources/hub/hub-api';
import type { FileRecord, ModelRecord, ModelRecords, VersionRecord } from '#store/models/model-records';

/** One file as a repository of a hub shows it. */
export interface RepoFile {
  readonly path: string;
  /** Undefined for a small file of a mirrored hub, which names it by its git blob until it is here. */
  readonly sha256: string | undefined;
  readonly git?: string | undefined;
  readonly sizeBytes: number;
  /** The file was found wrong or missing, and is not back yet. */
  readonly isGone: boolean;
}

/** A repository at one commit. */
export interface RepoRevision {
  /** 40 hexadecimal digits. */
  readonly commit: string;
  readonly files: ReadonlyMap<string, RepoFile>;
  /** All files that this host is to have of it were here once: only then it is listed. */
  readonly isWhole: boolean;
  /** ISO 8601. */
  readonly modifiedAt: string;
  /** What a mirrored hub says of it. */
  readonly about?: HubAbout | undefined;
}

export interface HubRepository {
  readonly type: HubRepoType;
  readonly name: string;
  readonly byCommit: ReadonlyMap<string, RepoRevision>;
  /** Commits by the name of a branch or tag; `main` where a version is shown. */
  readonly refs: ReadonlyMap<string, string>;
  /** Models whose files it has. */
  readonly models: ReadonlySet<string>;
}

/** A repository that configuration gives a model. */
export interface RepoAlias {
  /** `owner/name`. */
  readonly repo: string;
  readonly model: string;
}

interface GrowingRevision extends Omit<RepoRevision, 'files'> {
  readonly files: Map<string, RepoFile>;
  isWhole: boolean;
  modifiedAt: string;
}

interface GrowingRepo extends HubRepository {
  readonly byCommit: Map<string, GrowingRevision>;
  readonly refs: Map<string, string>;
  readonly models: Set<string>;
  /** When what `main` names was downloaded. */
  mainAt: string;
}

const COMMIT = /^[0-9a-f]{40}$/;

export const repoKey = (type: HubRepoType, name: string): string => `${type}:${name}`;

/**
 * Shows the models of a store as repositories of a hub: under the repository that their files came from, at the commit that is
 * recorded, and under the names that configuration gives.
 */
export function hubRepos(records: ModelRecords, aliases: readonly RepoAlias[]): ReadonlyMap<string, HubRepository> {
  const repos = new Map<string, GrowingRepo>();
  for (const [model, record] of records)
    for (const [version, facts] of record.versions) {
      for (const group of byOrigin(facts)) enter(repos, { ...group, model, version, record, facts });
      for (const { repo } of aliases.filter((alias) => alias.model === model)) {
        const files = [...facts.files].map(([path, file]) => fileOf(path, file));
        enter(repos, { type: 'model', repo, revision: syntheticCommit(files), files, model, version, record, facts });
      }
    }
  return repos;
}

interface Origin {
  readonly type: HubRepoType;
  readonly repo: string;
  /** As recorded: a commit, or a branch that was not resolved. */
  readonly revision: string;
  readonly files: readonly RepoFile[];
}

/** The files of a version by the repository and revision that they came from, under their paths there. */
function byOrigin({ files }: VersionRecord): Origin[] {
  const groups = new Map<string, Origin & { readonly files: RepoFile[] }>();
  for (const file of files.values())
    for (const source of file.sources ?? []) {
      if (source.kind !== 'huggingface') continue;
      const { repo, repoType: type = 'model', revision, path } = source;
      const key = `${repoKey(type, repo)}@${revision}`;
      const group = groups.get(key) ?? { type, repo, revision, files: [] };
      group.files.push(fileOf(path, file));
      groups.set(key, group);
    }
  return [...groups.values()];
}

const fileOf = (path: string, { sha256, sizeBytes, invalid }: FileRecord): RepoFile => ({
  ...{ path, sha256, sizeBytes },
  isGone: invalid !== undefined,
});

interface Entered extends Origin {
  readonly model: string;
  readonly version: string;
  readonly record: ModelRecord;
  readonly facts: VersionRecord;
}

function enter(repos: Map<string, GrowingRepo>, { type, repo: name, revision, files, ...of }: Entered): void {
  const repo = repos.get(repoKey(type, name)) ?? newRepo(type, name);
  repos.set(repoKey(type, name), repo);
  const commit = COMMIT.test(revision) ? revision : syntheticCommit(files);
  const isCurrent = of.record.version === of.version;
  enterFiles(repo, commit, files, { isWhole: isCurrent || of.facts.replacedAt !== null, at: of.facts.downloadedAt });
  repo.models.add(of.model);
  if (of.version !== commit) repo.refs.set(of.version, commit);
  if (isCurrent) enterBranches(repo, commit, revision, of.facts.downloadedAt);
}

function enterFiles(
  { byCommit }: GrowingRepo,
  commit: string,
  files: readonly RepoFile[],
  { isWhole, at }: { readonly isWhole: boolean; readonly at: string },
): void {
  const revision = byCommit.get(commit) ?? { commit, files: new Map(), isWhole: false, modifiedAt: at };
  byCommit.set(commit, revision);
  // Of two models with the same file one may have lost it.
  for (const file of files) if (revision.files.get(file.path)?.isGone !== false) revision.files.set(file.path, file);
  revision.isWhole ||= isWhole;
}

/** Of several models that show the repository, the one that was downloaded last is `main`. */
function enterBranches(repo: GrowingRepo, commit: string, revision: string, downloadedAt: string): void {
  if (revision !== commit && revision !== 'main') repo.refs.set(revision, commit);
  if (downloadedAt < repo.mainAt) return;
  repo.mainAt = downloadedAt;
  repo.refs.set('main', commit);
}

const newRepo = (type: HubRepoType, name: string): GrowingRepo => ({
  ...{ type, name, byCommit: new Map(), refs: new Map(), models: new Set() },
  mainAt: '',
});

/** Clients take only 40 hexadecimal digits for a commit; equal contents under equal paths have the same one. */
function syntheticCommit(files: readonly RepoFile[]): string {
  const lines = files.map(({ path, sha256 }) => `${path}\0${sha256}`).sort();
  return createHash('sha1').update(lines.join('\n')).digest('hex');
}

/** @param name a commit, branch, tag, or `HEAD`. @returns undefined when the repository does not have it here */
export function revisionOf(repo: HubRepository, name: string): RepoRevision | undefined {
  const ref = name === 'HEAD' || name === 'refs/heads/main' ? 'main' : name.replace(/^refs\/(heads|tags)\//, '');
  return repo.byCommit.get(repo.refs.get(ref) ?? ref);
}
