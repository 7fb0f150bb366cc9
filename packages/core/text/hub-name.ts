/** What a repository of a hub may hold. */
export const HUB_REPO_TYPES = ['model', 'dataset', 'space'] as const;

export type HubRepoType = (typeof HUB_REPO_TYPES)[number];

const MAX_REPO_CHARS = 200;
const MAX_REVISION_CHARS = 200;

/** Control characters, as they may hide in pasted text. */
const CONTROL = /\p{Cc}/u;
/** An encoded slash, backslash, dot or percent sign: servers and proxies that decode twice would see another path. */
const ENCODED = /%(?:2f|5c|2e|25|00)/i;

/**
 * Why a text cannot be a repository of a hub, or undefined when it can: `owner/name`, or a single name as the oldest repositories have.
 * The token of the hub goes along with requests that hold this text, so it may not lead to another path of the hub.
 */
export function badRepoReason(repo: string): string | undefined {
  if (repo === '') return 'is empty';
  if (repo.length > MAX_REPO_CHARS) return `is longer than ${MAX_REPO_CHARS} characters`;
  const names = repo.split('/');
  if (names.length > 2) return 'has more than one "/"';
  if (names.some((name) => name === '')) return 'has an empty name beside a "/"';
  if (names.some((name) => name === '.' || name === '..')) return 'has "." or ".." for a name';
  return names.every((name) => /^[\w.-]+$/.test(name)) ? undefined : 'has other characters than A-Z a-z 0-9 . _ -';
}

/**
 * Why a text cannot be a branch, tag or commit, or undefined when it can (`git check-ref-format`, as far as it bears on URLs).
 */
export function badRevisionReason(revision: string): string | undefined {
  if (revision === '') return 'is empty';
  if (revision.length > MAX_REVISION_CHARS) return `is longer than ${MAX_REVISION_CHARS} characters`;
  if (CONTROL.test(revision)) return 'has a control character';
  if (revision.includes('\\')) return 'has a backslash';
  if (ENCODED.test(revision)) return 'has an encoded character: write it as it is, such as refs/pr/1';
  if (revision.includes('..')) return 'has ".."';
  if (revision.split('/').some((name) => name === '' || name === '.')) return 'has an empty name or "." beside a "/"';
  return undefined;
}

/**
 * Why a text cannot be the path of a file in a repository, or undefined when it can. Every character that git allows is fine, but a
 * segment that would lead to another path of the hub is not.
 */
export function badHubPathReason(path: string): string | undefined {
  if (path === '') return 'is empty';
  if (CONTROL.test(path)) return 'has a control character';
  if (path.includes('\\')) return 'has a backslash';
  for (const name of path.split('/')) {
    if (name === '') return 'has an empty segment';
    if (name === '.' || name === '..') return `has the segment "${name}"`;
  }
  return undefined;
}

/**
 * Reads `owner/name@revision` or `owner/name`.
 *
 * @param what names the text in the error, such as `--hf`
 * @throws RangeError that shows the text, what is wrong with it and what would be right
 */
export function parseHubRepo(what: string, text: string): { readonly repo: string; readonly revision: string } {
  const at = text.indexOf('@');
  const repo = at < 0 ? text : text.slice(0, at);
  const revision = at < 0 ? 'main' : text.slice(at + 1);
  const badRepo = badRepoReason(repo) ?? (repo.includes('/') ? undefined : 'has no "/"');
  const badRevision = badRevisionReason(revision);
  if (badRepo === undefined && badRevision === undefined) return { repo, revision };
  const why = badRepo === undefined ? `the revision ${badRevision}` : `the repository ${badRepo}`;
  throw new RangeError(
    `${what} is ${JSON.stringify(text)}: write owner/repo@revision, such as onnx-community/whisper-base@main (${why})`,
  );
}
