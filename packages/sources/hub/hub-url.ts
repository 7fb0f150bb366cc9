import { badHubPathReason, badRepoReason, badRevisionReason, type HubRepoType } from '#core/text/hub-name';

/** Location of one file of a hub. */
export interface HubFile {
  /** Without trailing slash; may have a path prefix. */
  readonly endpoint: string;
  readonly repo: string;
  readonly repoType: HubRepoType;
  readonly revision: string;
  readonly path: string;
}

/** @returns the repository as the hub and `hf:` addresses name it, such as `datasets/owner/name`; nothing is encoded */
export const repoPath = ({ repo, repoType }: Pick<HubFile, 'repo' | 'repoType'>): string =>
  repoType === 'model' ? repo : `${repoType}s/${repo}`;

/**
 * @returns the logical URL of a file; paths are encoded by segment, the revision as one segment
 * @throws RangeError for a name that would lead to another path of the hub, which would receive the token
 */
export function resolveUrl(file: HubFile): string {
  refuseUnsafe(file);
  const [repo, path] = [segments(repoPath(file)), segments(file.path)];
  return `${base(file.endpoint)}/${repo}/resolve/${encodeURIComponent(file.revision)}/${path}`;
}

/**
 * @param what `revision/<rev>` or `tree/<rev>`, its revision not yet encoded
 * @throws RangeError as resolveUrl
 */
export function hubApiUrl(repo: Omit<HubFile, 'path'>, what: 'revision' | 'tree'): string {
  refuseUnsafe(repo);
  return `${base(repo.endpoint)}/api/${repo.repoType}s/${segments(repo.repo)}/${what}/${encodeURIComponent(repo.revision)}`;
}

/** @throws RangeError that names the part, its value and what is wrong with it */
export function refuseUnsafe({
  repo,
  revision,
  path,
}: Pick<HubFile, 'repo' | 'revision'> & { readonly path?: string | undefined }): void {
  const problems = [
    ['repository', repo, badRepoReason(repo)],
    ['revision', revision, badRevisionReason(revision)],
    ['path', path, path === undefined ? undefined : badHubPathReason(path)],
  ] as const;
  for (const [what, value, reason] of problems)
    if (reason !== undefined) throw new RangeError(`the ${what} ${JSON.stringify(value)} of a hub ${reason}`);
}

const base = (endpoint: string): string => endpoint.replace(/\/+$/, '');

const segments = (path: string): string => path.split('/').map(encodeURIComponent).join('/');
