import { createHash } from 'node:crypto';
import type { Content } from './origin-content.ts';
import { gitBlobSha1, sha256Of, sizeOf } from './origin-content.ts';
import type { Entity, PlannedRequest } from './origin-plan.ts';

/** One repository of the hub face of an origin. */
export interface ServedRepo {
  /** 40 hex characters. */
  readonly commit: string;
  readonly files: Readonly<Record<string, Content>>;
  /** Branches and tags besides `main`, to commits. */
  readonly revisions?: Readonly<Record<string, string>>;
  readonly gated?: boolean;
  /** Further fields of its description. */
  readonly about?: object;
  /** Files with at least this many bytes are LFS files: sha256 ETag, X-Linked headers, tree with `lfs`. Default 1024. */
  readonly lfsFromBytes?: number;
}

/** What an origin has; a bare Content is answered at every plain path, every CID and every repository. */
export interface Served {
  /** At `/files/<path>`. */
  readonly files?: Readonly<Record<string, Content>>;
  /** Plain bytes at `/ipfs/<cid>`. */
  readonly ipfs?: Readonly<Record<string, Content>>;
  /** Blocks at `/ipfs/<cid>?format=raw`. */
  readonly blocks?: ReadonlyMap<string, Uint8Array>;
  /** By `org/name`, or `datasets/org/name`. */
  readonly repos?: Readonly<Record<string, ServedRepo>>;
}

export interface RouteOptions {
  /** LFS files of a repository are redirected to `<cdn>/cdn/...`; a URL without a trailing slash. */
  readonly cdn?: string | undefined;
  readonly treePageSize?: number | undefined;
}

/** @returns what a healthy origin has at the path; errors are entities too. Pure. */
export function routeRequest(request: PlannedRequest, served: Served | Content, options: RouteOptions): Entity {
  const url = new URL(request.path, 'http://origin');
  const path = decodeURIComponent(url.pathname);
  if (path.startsWith('/ipfs/')) return ipfsEntity(path.slice(6).replace(/\/$/, ''), url, request, served);
  if (path.startsWith('/api/')) return apiEntity(path, url, served, options);
  if (path.startsWith('/cdn/')) return cdnEntity(path.slice(5), served);
  const resolve = /^\/(.+?)\/resolve\/([^/]+)\/(.+)$/.exec(path);
  if (resolve) return hubEntity(resolve[1]!, resolve[3]!, decodeURIComponent(resolve[2]!), served, options);
  return fileEntity(path.replace(/^\/files\//, ''), served);
}

const isContent = (served: Served | Content): served is Content => served instanceof Uint8Array || 'read' in served;

function found(content: Content, headers: Record<string, string>, status = 200): Entity {
  return {
    content,
    status,
    headers: { 'content-type': 'application/octet-stream', 'accept-ranges': 'bytes', ...headers },
  };
}

function refused(status: number, body: string, headers: Record<string, string> = {}): Entity {
  return { content: Buffer.from(body), status, headers: { 'content-type': 'text/plain', ...headers } };
}

const json = (value: unknown, headers: Record<string, string> = {}): Entity => ({
  content: Buffer.from(JSON.stringify(value)),
  status: 200,
  headers: { 'content-type': 'application/json', ...headers },
});

function fileEntity(path: string, served: Served | Content): Entity {
  const content = isContent(served) ? served : served.files?.[path];
  if (content === undefined) return refused(404, 'no such file');
  return found(content, {
    etag: `"${createHash('md5')
      .update(`${path}/${sizeOf(content)}`)
      .digest('hex')}"`,
    'last-modified': 'Thu, 01 Jan 2026 00:00:00 GMT',
  });
}

function ipfsEntity(cid: string, url: URL, request: PlannedRequest, served: Served | Content): Entity {
  const raw =
    url.searchParams.get('format') === 'raw' || (request.headers['accept'] ?? '').includes('application/vnd.ipld.raw');
  const headers = { etag: raw ? `"${cid}.raw"` : `"${cid}"`, 'cache-control': 'public, max-age=29030400, immutable' };
  if (cid === 'bafkqaaa') return found(new Uint8Array(0), headers);
  const block = isContent(served) ? undefined : served.blocks?.get(cid);
  if (raw) {
    if (block) return found(block, { ...headers, 'content-type': 'application/vnd.ipld.raw' });
    return refused(500, `ipld: could not find node ${cid}`);
  }
  const content = isContent(served) ? served : served.ipfs?.[cid];
  return content === undefined ? refused(404, 'not found here') : found(content, headers);
}

function repoOf(served: Served | Content, name: string): ServedRepo | undefined {
  if (!isContent(served)) return served.repos?.[name];
  return { commit: 'c0ffee'.padEnd(40, '0'), files: new Proxy({}, { get: () => served }) };
}

const isLfs = (repo: ServedRepo, content: Content): boolean => sizeOf(content) >= (repo.lfsFromBytes ?? 1024);

function commitOf(repo: ServedRepo, revision: string): string | undefined {
  if (revision === 'main' || revision === 'HEAD' || revision === repo.commit) return repo.commit;
  const commits = repo.revisions ?? {};
  return commits[revision] ?? Object.values(commits).find((commit) => commit === revision);
}

function hubEntity(
  name: string,
  path: string,
  revision: string,
  served: Served | Content,
  options: RouteOptions,
): Entity {
  const repo = repoOf(served, name);
  if (!repo) return refused(401, 'Repository not found', { 'x-error-code': 'RepoNotFound' });
  if (repo.gated) return refused(403, 'Access is restricted', { 'x-error-code': 'GatedRepo' });
  const commit = commitOf(repo, revision);
  if (!commit) return refused(404, 'Revision not found', { 'x-error-code': 'RevisionNotFound' });
  const content = repo.files[path];
  if (content === undefined)
    return refused(404, 'Entry not found', { 'x-error-code': 'EntryNotFound', 'x-repo-commit': commit });
  if (!isLfs(repo, content)) return found(content, { 'x-repo-commit': commit, etag: `"${gitBlobSha1(content)}"` });
  const etag = `"${sha256Of(content)}"`;
  const linked = { 'x-repo-commit': commit, 'x-linked-etag': etag, 'x-linked-size': String(sizeOf(content)), etag };
  if (options.cdn === undefined) return found(content, linked);
  const encoded = `${name}/${path}`.split('/').map(encodeURIComponent).join('/');
  const location = `${options.cdn}/cdn/${encoded}?X-Amz-Expires=3600&X-Amz-Date=20260101T000000Z&X-Amz-Signature=secret`;
  return { content: new Uint8Array(0), status: 302, headers: { ...linked, location } };
}

function cdnEntity(path: string, served: Served | Content): Entity {
  const [org = '', name = '', ...rest] = path.split('/');
  const content = repoOf(served, `${org}/${name}`)?.files[rest.join('/')];
  return content === undefined ? refused(404, 'no such object') : found(content, { etag: `"${sha256Of(content)}"` });
}

function apiEntity(path: string, url: URL, served: Served | Content, options: RouteOptions): Entity {
  const match = /^\/api\/(models|datasets)\/([^/]+\/[^/]+)(?:\/(revision|tree)\/([^/]+)(?:\/(.+))?)?$/.exec(path);
  if (!match) return refused(404, 'no such route');
  const repo = repoOf(served, match[1] === 'datasets' ? `datasets/${match[2]}` : match[2]!);
  if (!repo) return refused(401, '{"error":"Repository not found"}', { 'x-error-code': 'RepoNotFound' });
  const commit = commitOf(repo, decodeURIComponent(match[4] ?? 'main'));
  if (!commit) return refused(404, '{"error":"Invalid rev id"}', { 'x-error-code': 'RevisionNotFound' });
  if (match[3] === 'tree') return treePage(repo, commit, url, match[5], options.treePageSize ?? 1000);
  const siblings = Object.keys(repo.files).map((rfilename) => ({ rfilename }));
  return json({
    id: match[2],
    sha: commit,
    siblings,
    private: false,
    gated: repo.gated ?? false,
    tags: [],
    ...repo.about,
  });
}

function treePage(repo: ServedRepo, commit: string, url: URL, under: string | undefined, pageSize: number): Entity {
  const paths = Object.keys(repo.files).filter((path) => under === undefined || path.startsWith(`${under}/`));
  if (under !== undefined && paths.length === 0)
    return refused(404, '{"error":"Entry not found"}', { 'x-error-code': 'EntryNotFound' });
  const from = Number(url.searchParams.get('cursor') ?? 0);
  const entries = paths.slice(from, from + pageSize).map((path) => treeEntry(repo, path));
  if (from + pageSize >= paths.length) return json(entries, { 'x-repo-commit': commit });
  const next = new URL(url);
  next.searchParams.set('cursor', String(from + pageSize));
  return json(entries, { 'x-repo-commit': commit, link: `<${next.pathname}${next.search}>; rel="next"` });
}

function treeEntry(repo: ServedRepo, path: string): object {
  const content = repo.files[path]!;
  const size = sizeOf(content);
  if (!isLfs(repo, content)) return { type: 'file', path, size, oid: gitBlobSha1(content) };
  return {
    type: 'file',
    path,
    size,
    oid: '0'.repeat(40),
    lfs: { oid: sha256Of(content), size, pointerSize: 134 },
    xetHash: 'f'.repeat(64),
  };
}
