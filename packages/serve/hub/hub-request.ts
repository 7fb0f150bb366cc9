import type { HubRepoType } from '#core/text/hub-name';
import { decodedNames } from '../http/exchange.ts';

/** What a request asks of a hub. */
export type HubRequest =
  | { readonly ask: 'file'; readonly repo: RepoName; readonly revision: string; readonly path: string }
  | { readonly ask: 'info'; readonly repo: RepoName; readonly revision: string }
  | { readonly ask: 'tree'; readonly repo: RepoName; readonly revision: string; readonly path: string }
  | { readonly ask: 'paths-info'; readonly repo: RepoName; readonly revision: string }
  | { readonly ask: 'refs'; readonly repo: RepoName }
  /** Which GGUF file a tag such as `Q4_K_M` means. */
  | { readonly ask: 'gguf'; readonly repo: RepoName; readonly tag: string }
  | { readonly ask: 'whoami' };

export interface RepoName {
  readonly type: HubRepoType;
  readonly name: string;
}

const TYPES: Readonly<Record<string, HubRepoType>> = { models: 'model', datasets: 'dataset', spaces: 'space' };
/** Views whose answer is the bytes of a file. */
const FILE_VIEWS = new Set(['resolve', 'raw']);
/** Revisions of several names that clients also send unescaped. */
const SPECIAL_REVISION = /^refs\/(?:pr\/\d+|convert\/[^/]+|heads\/[^/]+|tags\/[^/]+)(?=\/|$)/;

/**
 * Reads the path of a request as a hub's. Each name is decoded for itself; a plus is a plus.
 *
 * @param path as sent, without the query; double slashes are one
 * @returns undefined for a path that no client of a hub asks for
 */
export function hubRequest(path: string): HubRequest | undefined {
  const names = decodedNames(path);
  if (names === undefined || names.some((name) => name === '.' || name === '..' || name.includes('\0')))
    return undefined;
  if (names[0] === 'api') return apiRequest(names.slice(1));
  if (names[0] === 'v2') return ggufRequest(names);
  const type = names[0] === 'datasets' || names[0] === 'spaces' ? TYPES[names[0]]! : 'model';
  return fileRequest(type, type === 'model' ? names : names.slice(1));
}

/** `/v2/OWNER/NAME/manifests/TAG`, as clients for GGUF files ask. */
function ggufRequest([, owner, name, view, tag, ...more]: readonly string[]): HubRequest | undefined {
  if (view !== 'manifests' || tag === undefined || more.length > 0) return undefined;
  return { ask: 'gguf', repo: { type: 'model', name: `${owner}/${name}` }, tag };
}

function fileRequest(type: HubRepoType, names: readonly string[]): HubRequest | undefined {
  // The oldest repositories have no owner.
  const at = FILE_VIEWS.has(names[2] ?? '') ? 2 : FILE_VIEWS.has(names[1] ?? '') ? 1 : undefined;
  if (at === undefined) return undefined;
  const { revision, path } = revisionAndPath(names.slice(at + 1));
  if (revision === '' || path === '') return undefined;
  return { ask: 'file', repo: { type, name: names.slice(0, at).join('/') }, revision, path };
}

const API_VIEWS = new Set(['revision', 'tree', 'paths-info', 'refs']);

function apiRequest(names: readonly string[]): HubRequest | undefined {
  if (names.join('/') === 'whoami-v2') return { ask: 'whoami' };
  const type = TYPES[names[0] ?? ''];
  if (type === undefined || names.length < 2) return undefined;
  const below = names.slice(1);
  const at = [2, 1].find((place) => API_VIEWS.has(below[place] ?? ''));
  if (at === undefined)
    return below.length <= 2 ? { ask: 'info', repo: { type, name: below.join('/') }, revision: 'main' } : undefined;
  return viewRequest(below[at]!, { type, name: below.slice(0, at).join('/') }, below.slice(at + 1));
}

function viewRequest(view: string, repo: RepoName, rest: readonly string[]): HubRequest | undefined {
  const { revision, path } = revisionAndPath(rest);
  switch (view) {
    case 'refs':
      return { ask: 'refs', repo };
    case 'revision':
      return revision === '' || path !== '' ? undefined : { ask: 'info', repo, revision };
    case 'tree':
      return { ask: 'tree', repo, revision: revision || 'main', path };
    default:
      return { ask: 'paths-info', repo, revision: revision || 'main' };
  }
}

function revisionAndPath(names: readonly string[]): { readonly revision: string; readonly path: string } {
  const special = SPECIAL_REVISION.exec(names.join('/'))?.[0];
  // Escaped, such a revision is one name already.
  const count = special !== undefined && names[0] === 'refs' ? special.split('/').length : 1;
  return { revision: names.slice(0, count).join('/'), path: names.slice(count).join('/') };
}
