import { SourceError } from '#core/failure';
import { MIB } from '#core/units';
import type { Http } from '#http/pool';
import type { HttpResponse } from '#http/request';
import { requestBytes } from '#http/small-request';
import { hubError } from './hub-error.ts';
import type { HubFile } from './hub-url.ts';
import { apiUrl } from './hub-url.ts';

export interface HubRepo extends Omit<HubFile, 'path'> {
  readonly http: Http;
  readonly token?: string | undefined;
  /** The operator named this endpoint: its own address is not questioned. */
  readonly trusted: boolean;
}

export interface HubEntry {
  /** As the hub says it: not checked, may be hostile. */
  readonly path: string;
  readonly sizeBytes: number;
  /** Of large files only. */
  readonly sha256: string | undefined;
  /** Name git gives the blob; of small files it is a digest of the bytes. */
  readonly gitSha1: string | undefined;
}

const PAGE_BYTES = 16 * MIB;
const MAX_PAGES = 100;

/**
 * The commit a branch or tag stands for now.
 *
 * @returns 40 hex characters
 * @throws SourceError
 */
export async function hubCommit(repo: HubRepo, signal: AbortSignal): Promise<string> {
  const { value } = await ask(repo, apiUrl(repo, 'revision'), signal);
  const { sha } = Object(value) as { sha?: unknown };
  if (typeof sha === 'string' && /^[0-9a-f]{40}$/.test(sha)) return sha;
  throw new SourceError('bad-response', sourceOf(repo), 'names no commit for this revision');
}

/**
 * All files of a revision with their sizes and digests, however many pages that takes.
 *
 * @throws SourceError; also when the hub pages without end or to another host
 */
export async function hubTree(repo: HubRepo, signal: AbortSignal): Promise<HubEntry[]> {
  const entries: HubEntry[] = [];
  let next: string | undefined = `${apiUrl(repo, 'tree')}?recursive=true&expand=false`;
  for (let page = 0; next !== undefined; page += 1) {
    if (page === MAX_PAGES) throw new SourceError('bad-response', sourceOf(repo), `lists more than ${MAX_PAGES} pages`);
    const { value, response } = await ask(repo, next, signal);
    if (!Array.isArray(value)) throw new SourceError('bad-response', sourceOf(repo), 'the file list is not a list');
    entries.push(...value.flatMap((item) => entryOf(repo, item)));
    next = nextPage(repo, response);
  }
  return entries;
}

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
  const sizeBytes = large['size'] ?? size;
  if (typeof path !== 'string' || typeof sizeBytes !== 'number' || !Number.isSafeInteger(sizeBytes) || sizeBytes < 0)
    throw new SourceError('bad-response', sourceOf(repo), 'the file list has an entry without path or size');
  return [{ path, sizeBytes, sha256: hex(large['oid'], 64), gitSha1: lfs === undefined ? hex(oid, 40) : undefined }];
}

const hex = (value: unknown, length: number): string | undefined =>
  typeof value === 'string' && value.length === length && /^[0-9a-f]+$/.test(value) ? value : undefined;

/** `Link: <…>; rel="next"` (RFC 8288); it may not lead away from the hub, because the token goes along. */
function nextPage(repo: HubRepo, response: HttpResponse): string | undefined {
  const link = /<([^>]*)>\s*;\s*rel="?next"?/i.exec(response.headers['link'] ?? '')?.[1];
  if (link === undefined) return undefined;
  const url = URL.canParse(link, response.url.href) ? new URL(link, response.url) : undefined;
  if (url?.host === new URL(repo.endpoint).host) return url.href;
  throw new SourceError('bad-response', sourceOf(repo), 'the next page of the file list is on another host');
}
