import type { HubRepoType } from '#core/text/hub-name';
import { refuseUnsafe, type HubFile } from './hub-url.ts';

/** What a URL of a hub names: a file, or with `isFolder` all files below a path (`''` is the whole repository). */
export interface HubPage extends Omit<HubFile, 'endpoint'> {
  readonly isFolder: boolean;
}

const REPO_TYPE: Readonly<Record<string, HubRepoType>> = { models: 'model', datasets: 'dataset', spaces: 'space' };
/** Views of a file in URLs: its page, its bytes, and its content in git. */
const FILE_VIEWS = new Set(['blob', 'resolve', 'raw']);
const FOLDER_VIEW = 'tree';
/** Query parameters that do not change the bytes. */
const HARMLESS = new Set(['download', 'filename']);
/** Revisions of several segments that hubs also accept unencoded. */
const SPECIAL_REVISION = /^refs\/(?:pr\/\d+|convert\/[\w-]+)(?=\/|$)/;
/** Other names of the public hub. */
const ALIASES: Readonly<Record<string, string>> = { 'hf.co': 'huggingface.co', 'www.huggingface.co': 'huggingface.co' };

/**
 * Parses a URL of the configured hub as copied from a browser: `<endpoint>/[datasets/|spaces/][<owner>/]<name>/` and then
 * `blob|resolve|raw/<revision>/<path>`, or `tree/<revision>[/<path>]`.
 *
 * @returns undefined for every other URL: of another host, with credentials, or with a query that only its host understands
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
  const below = repoType === undefined ? names : names.slice(1);
  // The oldest repositories have no owner.
  const nameCount = !isView(below[2]) && isView(below[1]) ? 1 : 2;
  const [view, ...rest] = below.slice(nameCount);
  const isFolder = view === FOLDER_VIEW;
  const [revision, path] = revisionAndPath(rest);
  if (!isView(view) || revision === undefined || (path === '' && !isFolder)) return undefined;
  return { repo: below.slice(0, nameCount).join('/'), repoType: repoType ?? 'model', revision, path, isFolder };
}

const isView = (name: string | undefined): boolean =>
  name !== undefined && (name === FOLDER_VIEW || FILE_VIEWS.has(name));

/** @returns the decoded names below the path of the endpoint; undefined for a URL that is not below it, or is not UTF-8 */
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

/** An http URL of an https hub is accepted: requests use the configured endpoint. */
function isSameHub(url: URL, endpoint: URL): boolean {
  const host = ALIASES[url.host] ?? url.host;
  return host === endpoint.host && (url.protocol === endpoint.protocol || endpoint.protocol === 'https:');
}

function revisionAndPath(names: readonly string[]): [revision: string | undefined, path: string] {
  const special = SPECIAL_REVISION.exec(names.join('/'))?.[0];
  // A special revision may be encoded as one segment, or written as three.
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
