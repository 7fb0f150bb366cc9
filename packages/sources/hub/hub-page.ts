import type { HubRepoType } from '#core/text/hub-name';
import { refuseUnsafe, type HubFile } from './hub-url.ts';

/** What a URL of a hub names: a file, or with `isFolder` everything below a path (`''` is the whole repository). */
export interface HubPage extends Omit<HubFile, 'endpoint'> {
  readonly isFolder: boolean;
}

const REPO_TYPE: Readonly<Record<string, HubRepoType>> = { models: 'model', datasets: 'dataset', spaces: 'space' };
/** Pages and addresses of a file: as a page, as its bytes, and as git stores it. */
const FILE_VIEWS = new Set(['blob', 'resolve', 'raw']);
/** What may be asked that leaves the bytes as they are. */
const HARMLESS = new Set(['download', 'filename']);
/** Revisions of more than one segment that hubs also take as they are. */
const SPECIAL_REVISION = /^refs\/(?:pr\/\d+|convert\/[\w-]+)(?=\/|$)/;
/** Other names of the public hub. */
const ALIASES: Readonly<Record<string, string>> = { 'hf.co': 'huggingface.co', 'www.huggingface.co': 'huggingface.co' };

/**
 * Reads a URL of the configured hub as people copy it from a browser: `<endpoint>/[datasets/|spaces/]<owner>/<name>/` and then
 * `blob|resolve|raw/<revision>/<path>`, or `tree/<revision>[/<path>]`.
 *
 * @returns undefined for every other URL: of another host, with credentials, or with a query that its host alone understands
 */
export function hubPage(url: URL, endpoint: string): HubPage | undefined {
  const names = saysMore(url) ? undefined : namesBelow(url, new URL(endpoint));
  const page = names === undefined ? undefined : pageOf(names);
  return page !== undefined && isUsable(page) ? page : undefined;
}

/** Credentials, or a query that only its host understands. */
const saysMore = ({ username, password, searchParams }: URL): boolean =>
  username !== '' || password !== '' || [...searchParams.keys()].some((name) => !HARMLESS.has(name));

function pageOf(names: readonly string[]): HubPage | undefined {
  const repoType = REPO_TYPE[names[0] ?? ''];
  const [owner, name, view = '', ...rest] = repoType === undefined ? names : names.slice(1);
  const isFolder = view === 'tree';
  const [revision, path] = revisionAndPath(rest);
  if ((!isFolder && !FILE_VIEWS.has(view)) || revision === undefined || (path === '' && !isFolder)) return undefined;
  return { repo: `${owner}/${name}`, repoType: repoType ?? 'model', revision, path, isFolder };
}

/** @returns the decoded names below the endpoint's own path; undefined for what is not there, or is not UTF-8 */
function namesBelow(url: URL, endpoint: URL): readonly string[] | undefined {
  if (!isSameHub(url, endpoint)) return undefined;
  const prefix = endpoint.pathname.replace(/\/+$/, '');
  if (!url.pathname.startsWith(`${prefix}/`)) return undefined;
  try {
    return url.pathname.slice(prefix.length).split('/').filter(Boolean).map(decodeURIComponent);
  } catch {
    return undefined;
  }
}

/** A page that was typed as http of a hub under https is still that hub's: the token goes by the endpoint as it is configured. */
function isSameHub(url: URL, endpoint: URL): boolean {
  const host = ALIASES[url.host] ?? url.host;
  return host === endpoint.host && (url.protocol === endpoint.protocol || endpoint.protocol === 'https:');
}

function revisionAndPath(names: readonly string[]): [revision: string | undefined, path: string] {
  const special = SPECIAL_REVISION.exec(names.join('/'))?.[0];
  // A special revision may be encoded as one segment, or stand there as three.
  const count = special === undefined || names[0] === special ? 1 : 3;
  return [names.length === 0 ? undefined : names.slice(0, count).join('/'), names.slice(count).join('/')];
}

function isUsable({ path, ...page }: HubPage): boolean {
  try {
    refuseUnsafe({ ...page, path: path === '' ? undefined : path });
    return true;
  } catch {
    return false;
  }
}
