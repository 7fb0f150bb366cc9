import { parseJson } from '#core/text/parse-json';
import { answerJson, headerOf, SOON, type Exchange, type Headers } from '../http/exchange.ts';
import { readBody } from '../http/read-body.ts';
import { answerFile, type FileParts } from './answer-file.ts';
import { findRevision, type FoundRevision, type RefusedRevision, type RevisionParts } from './find-revision.ts';
import { fileEntry, fileName, folderEntry, infoOf, treePaths, type TreeEntry } from './hub-answers.ts';
import type { RepoFile, RepoRevision } from './hub-repo.ts';
import type { HubRequest } from './hub-request.ts';
import { refuse, refuseGated, refuseMethod } from './refuse.ts';

export interface HubParts extends RevisionParts, FileParts {}

/**
 * Answers what clients of a hub ask: files, and the descriptions that they read before.
 *
 * @throws what reading, proof or the client reject with; nothing more can be sent then
 * @see docs/rules/huggingface.md
 */
export async function answerHub(exchange: Exchange, asked: HubRequest, parts: HubParts): Promise<void> {
  const { method } = exchange.request;
  if (asked.ask !== 'paths-info' && method !== 'GET' && method !== 'HEAD') return refuseMethod(exchange);
  if (asked.ask === 'whoami') return refuse(exchange, 401, undefined, 'there are no users here');
  const found = await findRevision(asked, parts);
  if ('refused' in found) return refuseRevision(exchange, asked, found.refused);
  switch (asked.ask) {
    case 'file':
      return answerFile(exchange, parts, found, asked.path);
    case 'info':
      return answerInfo(exchange, parts, found);
    case 'tree':
      return answerTree(exchange, parts, found.revision, asked.path);
    case 'paths-info':
      return answerPathsInfo(exchange, parts, found.revision);
    case 'refs':
      return answerJson(exchange, 200, refsOf(found));
    case 'gguf':
      return answerGguf(exchange, found.revision, asked.tag);
  }
}

function refuseRevision(
  exchange: Exchange,
  asked: Exclude<HubRequest, { readonly ask: 'whoami' }>,
  refused: RefusedRevision['refused'],
): void {
  const { name } = asked.repo;
  switch (refused) {
    case 'hub-away':
      return refuse(exchange, 503, undefined, 'the hub does not answer', SOON);
    case 'RevisionNotFound':
      return refuse(exchange, 404, refused, `${name} has no such revision here`);
    case 'GatedRepo':
      return refuseGated(exchange, name);
    case 'RepoNotFound':
      return refuse(exchange, exchange.isTrusted ? 404 : 401, refused, `${name} is not here`);
  }
}

/** Revisions that are neither the main branch nor a whole reference are told as tags. */
const refsOf = ({ refs }: FoundRevision): object => {
  const listed = [...refs].map(([revision, targetCommit]) => {
    const [, kind = revision === 'main' ? 'heads' : 'tags', name = revision] =
      /^refs\/(pr|convert)\/(.+)$/.exec(revision) ?? [];
    return { kind, shown: { name, ref: `refs/${kind}/${name}`, targetCommit } };
  });
  const of = (wanted: string): object[] => listed.filter(({ kind }) => kind === wanted).map(({ shown }) => shown);
  // Clients that ask for pull requests fail without the list.
  return { branches: of('heads'), converts: of('convert'), tags: of('tags'), pullRequests: of('pr') };
};

/** The usual choice of clients where the tag names none. */
const USUAL_QUANTIZATION = 'q4_k_m';

/** Types of the manifests that clients of registries of images want, such as Ollama. */
const IMAGE_MANIFEST = /application\/vnd\.(?:docker|oci)\./;

function answerGguf(exchange: Exchange, { files, commit }: RepoRevision, tag: string): void {
  // They take any other object for an image without layers, and report success.
  if (IMAGE_MANIFEST.test(headerOf(exchange, 'accept') ?? ''))
    return refuse(exchange, 406, undefined, 'manifests of images are not served: download the GGUF file by its name');
  const found = [...files.values()].filter(({ path }) => path.endsWith('.gguf'));
  const named = (text: string): RepoFile | undefined =>
    found.find(({ path }) => path.toLowerCase().includes(text.toLowerCase()));
  const file = tag === 'latest' ? (named(USUAL_QUANTIZATION) ?? found[0]) : named(tag);
  if (file === undefined)
    return refuse(exchange, 404, 'EntryNotFound', `no GGUF file here is ${tag}`, { 'x-repo-commit': commit });
  answerJson(exchange, 200, { ggufFile: { rfilename: file.path, size: file.sizeBytes } });
}

/** The digests that the store knows decide how a file is named. They are read from the disk, so of the files that are told alone. */
async function entriesOf({ contents }: HubParts, files: Iterable<RepoFile>): Promise<(file: RepoFile) => TreeEntry> {
  const git = new Map<string, string | undefined>();
  for (const { sha256 } of files) if (sha256 !== undefined) git.set(sha256, (await contents.look(sha256))?.digests.git);
  return (file) => fileEntry(file, fileName(file, file.sha256 && git.get(file.sha256)));
}

async function answerInfo(exchange: Exchange, parts: HubParts, found: FoundRevision): Promise<void> {
  const { repo, revision, isPrivate } = found;
  const wantsBlobs = isYes(exchange.query.get('blobs'));
  const info = infoOf(
    repo.name,
    revision,
    isPrivate,
    wantsBlobs ? await entriesOf(parts, revision.files.values()) : undefined,
  );
  answerJson(exchange, 200, info);
}

const isYes = (text: string | null): boolean => text !== null && /^(true|1|yes|on)$/i.test(text);

/** One page of clients that read one page only. */
const PAGE_ENTRIES = 1_000;

async function answerTree(exchange: Exchange, parts: HubParts, revision: RepoRevision, path: string): Promise<void> {
  const { query } = exchange;
  const entries = treePaths(revision, path, isYes(query.get('recursive')));
  const commit = { 'x-repo-commit': revision.commit };
  if (entries === undefined) return refuse(exchange, 404, 'EntryNotFound', `${path} is no folder here`, commit);
  const limit = Number(query.get('limit') ?? PAGE_ENTRIES);
  const count = Number.isInteger(limit) && limit >= 1 ? Math.min(limit, PAGE_ENTRIES) : PAGE_ENTRIES;
  const cursor = query.get('cursor');
  const start = cursor === null ? 0 : Number(cursor);
  if (!Number.isSafeInteger(start) || start < 0)
    return refuse(exchange, 400, undefined, `cursor ${JSON.stringify(cursor)} is none of this server`);
  const shown = entries.slice(start, start + count);
  const page = await entriesAt(parts, shown);
  answerJson(exchange, 200, page, { ...commit, ...nextPage(exchange, start + page.length, entries.length) });
}

async function entriesAt(
  parts: HubParts,
  paths: NonNullable<ReturnType<typeof treePaths>>,
): Promise<readonly TreeEntry[]> {
  const entryOf = await entriesOf(
    parts,
    paths.flatMap(([, file]) => file ?? []),
  );
  return paths.map(([path, file]) => (file === undefined ? folderEntry(path) : entryOf(file)));
}

/** The address of the next page, absolute: two clients take a relative one for the end. */
function nextPage({ origin, path, query }: Exchange, next: number, total: number): Headers {
  if (next >= total) return {};
  const more = new URLSearchParams(query);
  more.set('cursor', `${next}`);
  return { link: `<${origin}${path}?${more}>; rel="next"` };
}

async function answerPathsInfo(exchange: Exchange, parts: HubParts, revision: RepoRevision): Promise<void> {
  if (exchange.request.method !== 'POST')
    return refuse(exchange, 405, undefined, 'paths-info is asked by POST', { allow: 'POST' });
  const body = await readBody(exchange);
  const wanted = body === undefined ? undefined : wantedPaths(headerOf(exchange, 'content-type') ?? '', body);
  if (wanted === undefined)
    return refuse(
      exchange,
      400,
      undefined,
      'send {"paths": ["config.json"]} as JSON, or paths=config.json as a form, in at most 1 MiB',
    );
  const asked = new Set(wanted.paths.map((path) => path.replace(/\/+$/, '')));
  const paths = (treePaths(revision, '', true) ?? []).filter(([path]) => asked.has(path));
  const byPath = new Map((await entriesAt(parts, paths)).map((entry) => [entry.path, entry]));
  const lastCommit = { id: revision.commit, title: '', date: revision.modifiedAt };
  const found = [...asked].flatMap((path) => byPath.get(path) ?? []);
  answerJson(exchange, 200, wanted.expand ? found.map((entry) => ({ ...entry, lastCommit })) : found);
}

/** JavaScript sends JSON, Python a form. */
function wantedPaths(type: string, body: string): { paths: readonly string[]; expand: boolean } | undefined {
  if (!/\bjson\b/i.test(type)) {
    const form = new URLSearchParams(body);
    return { paths: form.getAll('paths'), expand: isYes(form.get('expand')) };
  }
  const { paths, expand } = Object(parseJson(body)) as { paths?: unknown; expand?: unknown };
  const list = typeof paths === 'string' ? [paths] : paths;
  if (!Array.isArray(list) || !list.every((path) => typeof path === 'string')) return undefined;
  return { paths: list as string[], expand: expand === true };
}
