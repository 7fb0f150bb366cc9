import { SourceError } from '#core/failure';
import type { Digests } from '#core/file-spec';
import { MIB } from '#core/units';
import type { Http } from '#http/pool';
import type { HopHead, HttpRequest, HttpResponse } from '#http/request';
import { requestBytes } from '#http/small-request';
import type { AskedServer } from '../guards/keeping-pauses.ts';
import { hubError } from './hub-error.ts';
import type { HubFile } from './hub-url.ts';
import { hubApiUrl, resolveUrl } from './hub-url.ts';

export interface HubRepo extends Omit<HubFile, 'path'> {
  readonly http: Http;
  readonly token?: string | undefined;
  /** The operator named this endpoint: the address policy does not apply to its own address. */
  readonly trusted: boolean;
}

/** The server of a hub as one that is asked for other things than files. It limits such requests by themselves (docs/rules/huggingface.md). */
export function hubApi(endpoint: string): AskedServer {
  const { host, origin } = new URL(endpoint);
  return { origin, name: host, bucket: 'api' };
}

export interface HubEntry {
  /** As sent by the hub: not checked, may be hostile. */
  readonly path: string;
  readonly sizeBytes: number;
  /** For large files only. */
  readonly sha256: string | undefined;
  /** Name of the blob in git; for small files a digest of the bytes. */
  readonly gitSha1: string | undefined;
}

const PAGE_BYTES = 16 * MIB;
const MAX_PAGES = 100;

/**
 * Resolves a branch or tag to its current commit.
 *
 * @returns 40 hex characters
 * @throws SourceError
 */
export async function hubCommit(repo: HubRepo, signal: AbortSignal): Promise<string> {
  return (await hubRevision(repo, signal)).commit;
}

export interface HubRevision {
  /** 40 hex characters. */
  readonly commit: string;
  /** Names of its files, if the hub sends them too; not checked, may be hostile. */
  readonly paths: readonly string[] | undefined;
  readonly about: HubAbout;
}

/** What a hub says of a repository that its clients go by. Nothing proves it, and nothing here depends on it. */
export interface HubAbout {
  /** The task that the model is for, such as `text-generation`. */
  readonly pipeline_tag?: string;
  readonly library_name?: string;
  readonly tags?: readonly string[];
  readonly lastModified?: string;
  readonly createdAt?: string;
}

/**
 * Resolves a revision to its commit, with the file names that the hub sends too.
 *
 * @throws SourceError
 */
export async function hubRevision(repo: HubRepo, signal: AbortSignal): Promise<HubRevision> {
  const { value } = await ask(repo, hubApiUrl(repo, 'revision'), signal);
  const { sha, siblings, ...rest } = Object(value) as Readonly<Record<string, unknown>>;
  if (typeof sha !== 'string' || !/^[0-9a-f]{40}$/.test(sha))
    throw new SourceError('bad-response', sourceOf(repo), 'names no commit for this revision');
  const paths = Array.isArray(siblings) ? siblings.flatMap(siblingPath) : undefined;
  return { commit: sha, paths, about: aboutOf(rest) };
}

function aboutOf({ tags, ...rest }: Readonly<Record<string, unknown>>): HubAbout {
  const of = (names: readonly string[], isRight: (text: string) => boolean): object => {
    const right = names.filter((name) => typeof rest[name] === 'string' && isRight(rest[name]));
    return Object.fromEntries(right.map((name) => [name, rest[name]]));
  };
  const dates = of(['lastModified', 'createdAt'], (text) => !Number.isNaN(Date.parse(text)));
  const isList = Array.isArray(tags) && tags.every((tag) => typeof tag === 'string');
  return { ...of(['pipeline_tag', 'library_name'], () => true), ...dates, ...(isList && { tags }) };
}

function siblingPath(sibling: unknown): string[] {
  const { rfilename } = Object(sibling) as { rfilename?: unknown };
  return typeof rfilename === 'string' ? [rfilename] : [];
}

/**
 * Lists all files of a revision with their sizes and digests, over all pages of the list.
 *
 * @throws SourceError; also for more than MAX_PAGES pages
 */
export async function hubTree(repo: HubRepo, signal: AbortSignal): Promise<HubEntry[]> {
  const entries: HubEntry[] = [];
  for await (const page of treePages(repo, `${hubApiUrl(repo, 'tree')}?recursive=true&expand=false`, signal))
    entries.push(...page);
  return entries;
}

/**
 * Finds one file of a revision in the list of its folder.
 *
 * @returns undefined when the list does not have it
 * @throws SourceError
 */
export async function hubEntry(repo: HubRepo, path: string, signal: AbortSignal): Promise<HubEntry | undefined> {
  const folder = path.split('/').slice(0, -1).map(encodeURIComponent).join('/');
  const url = `${hubApiUrl(repo, 'tree')}${folder === '' ? '' : `/${folder}`}?recursive=false&expand=false`;
  for await (const page of treePages(repo, url, signal)) {
    const found = page.find((entry) => entry.path === path);
    if (found !== undefined) return found;
  }
  return undefined;
}

async function* treePages(repo: HubRepo, first: string, signal: AbortSignal): AsyncGenerator<readonly HubEntry[]> {
  let next: string | undefined = first;
  for (let page = 0; next !== undefined; page += 1) {
    if (page === MAX_PAGES) throw new SourceError('bad-response', sourceOf(repo), `lists more than ${MAX_PAGES} pages`);
    const { value, response } = await ask(repo, next, signal);
    if (!Array.isArray(value)) throw new SourceError('bad-response', sourceOf(repo), 'the file list is not a list');
    yield value.flatMap((item) => entryOf(repo, item));
    next = nextPage(repo, next, response);
  }
}

/** Facts of a file in the headers of its URL. */
export interface HubHeadFacts {
  readonly sizeBytes: number | undefined;
  readonly digests: Digests;
}

/**
 * Requests the headers of a file, for hubs whose lists are not available: by HEAD, and if that is refused, by a GET of the first byte.
 * `X-Linked-Etag` of 64 hex digits is the SHA-256 of a large file; the `ETag` of an answer that names its commit is the name of a
 * small one in git (docs/rules/huggingface.md). Every other ETag says nothing about the bytes.
 *
 * @throws SourceError
 */
export async function hubHead(repo: HubRepo, path: string, signal: AbortSignal): Promise<HubHeadFacts> {
  const url = resolveUrl({ ...repo, path });
  // The redirect of the hub has the headers; the content host need not be reachable.
  const own = await headOf(repo, { url, method: 'HEAD', maxRedirects: 0 }, signal);
  const [first] = own.flatMap(factsOf);
  if (first !== undefined) return first;
  const rest = REFUSES_HEAD.has(own[0]!.status) ? { url } : { url, method: 'HEAD' as const };
  if (own[0]!.status < 300) return { sizeBytes: undefined, digests: {} };
  const [facts] = (await headOf(repo, rest, signal)).flatMap(factsOf);
  return facts ?? { sizeBytes: undefined, digests: {} };
}

const REFUSES_HEAD = new Set([400, 403, 405, 501]);

/** @returns the heads that the hub itself sent */
async function headOf(
  repo: HubRepo,
  request: Pick<HttpRequest, 'url' | 'method' | 'maxRedirects'>,
  signal: AbortSignal,
): Promise<HopHead[]> {
  const { http, token, trusted } = repo;
  const source = sourceOf(repo);
  const range = request.method === undefined ? { range: 'bytes=0-0' } : {};
  const headers = { accept: '*/*', ...range, ...(token !== undefined && { authorization: `Bearer ${token}` }) };
  const ignored = { head: () => false, data: () => undefined };
  const response = await http.request({ ...request, source, headers, trusted }, ignored, signal);
  const { first, status } = response;
  const isRefusal = request.method === 'HEAD' && REFUSES_HEAD.has(status);
  if (status >= 400 && first.url.href === response.url.href && !isRefusal) throw hubError(source, response, http.now());
  return response.url.origin === new URL(repo.endpoint).origin ? [first, response] : [first];
}

function factsOf({ status, headers }: HopHead): HubHeadFacts[] {
  if (status >= 400) return [];
  const linked = hex(bareEtag(headers['x-linked-etag']), 64);
  const etag = headers['x-repo-commit'] === undefined ? undefined : bareEtag(headers['etag']);
  const sha256 = linked ?? hex(etag, 64);
  const git = sha256 === undefined ? hex(etag, 40) : undefined;
  if (sha256 === undefined && git === undefined) return [];
  const size = Number(headers['x-linked-size'] ?? Number.NaN);
  const sizeBytes = Number.isSafeInteger(size) && size >= 0 ? size : undefined;
  return [{ sizeBytes, digests: sha256 === undefined ? { git } : { sha256 } }];
}

const bareEtag = (etag: string | undefined): string | undefined => /^(?:W\/)?"?([^"]*)"?$/.exec(etag ?? '')?.[1];

async function ask(
  repo: HubRepo,
  url: string,
  signal: AbortSignal,
): Promise<{ value: unknown; response: HttpResponse }> {
  const { http, token, trusted } = repo;
  const source = sourceOf(repo);
  const headers = { accept: 'application/json', ...(token !== undefined && { authorization: `Bearer ${token}` }) };
  const { response, bytes } = await requestBytes(http, { url, source, headers, trusted }, PAGE_BYTES, signal);
  if (response.status !== 200) throw hubError(source, response, http.now());
  try {
    return { value: JSON.parse(bytes.toString('utf8')), response };
  } catch (error) {
    throw new SourceError('bad-response', source, 'the answer is not JSON', { cause: error });
  }
}

const sourceOf = (repo: HubRepo): string => `${new URL(repo.endpoint).host}/${repo.repo}@${repo.revision}`;

function entryOf(repo: HubRepo, item: unknown): HubEntry[] {
  const { type, path, size, oid, lfs } = Object(item) as Record<string, unknown>;
  if (type !== 'file') return [];
  const large = Object(lfs) as Record<string, unknown>;
  // Some hubs send `null` for it, others leave it out.
  const isLarge = lfs !== undefined && lfs !== null;
  const sizeBytes = large['size'] ?? size;
  if (typeof path !== 'string' || typeof sizeBytes !== 'number' || !Number.isSafeInteger(sizeBytes) || sizeBytes < 0)
    throw new SourceError('bad-response', sourceOf(repo), 'the file list has an entry without path or size');
  return [{ path, sizeBytes, sha256: sha256Of(large['oid']), gitSha1: isLarge ? undefined : hex(oid, 40) }];
}

/** Git LFS prefixes the algorithm, and some hubs keep the prefix. */
const sha256Of = (oid: unknown): string | undefined =>
  hex(typeof oid === 'string' ? oid.replace(/^sha256:/i, '') : oid, 64);

const hex = (value: unknown, length: number): string | undefined =>
  typeof value === 'string' && value.length === length && /^[0-9a-f]+$/i.test(value) ? value.toLowerCase() : undefined;

const API_PATH = /\/api\/(?:models|datasets|spaces)\//;

/**
 * The URL of `Link: <…>; rel="next"` (RFC 8288), always at the configured endpoint: a mirror keeps the absolute links of the hub that it
 * mirrors, and the request carries the token.
 */
function nextPage(repo: HubRepo, asked: string, response: HttpResponse): string | undefined {
  const link = nextLink(response.headers['link'] ?? '');
  if (link === undefined) return undefined;
  const bad = (what: string): SourceError =>
    new SourceError('bad-response', sourceOf(repo), `the next page of the file list ${what}`);
  if (!URL.canParse(link, response.url.href)) throw bad('is no URL');
  const { pathname, search } = new URL(link, response.url);
  const endpoint = repo.endpoint.replace(/\/+$/, '');
  const prefix = new URL(endpoint).pathname.replace(/\/$/, '');
  // The path of an endpoint may itself have an `/api/` in it, as that of a repository manager has.
  const below = pathname.startsWith(`${prefix}/`) ? pathname.slice(prefix.length) : pathname;
  const api = below.search(API_PATH);
  if (api < 0) throw bad(`is at ${JSON.stringify(pathname)}, which is no address of the hub's API`);
  const next = `${endpoint}${below.slice(api)}${search}`;
  if (next === asked) throw bad('is the same page again');
  return next;
}

/** @returns the target of the link whose relation is `next`; `rel` may be any of its parameters */
function nextLink(header: string): string | undefined {
  for (const [, target, parameters] of header.matchAll(
    /<([^>]*)>((?:\s*;\s*[\w*]+\s*(?:=\s*(?:"[^"]*"|[^",;\s]+))?)*)/g,
  ))
    if (/;\s*rel\s*=\s*(?:next\b|"(?:[^"]*\s)?next(?:\s[^"]*)?")/i.test(parameters ?? '')) return target;
  return undefined;
}
