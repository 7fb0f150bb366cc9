import { ExhaustedError } from '#core/failure';
import type { Contents } from '../blocks/contents.ts';
import type { Reader } from '../blocks/held-blocks.ts';
import { answerContent } from '../http/answer-content.ts';
import { contentDisposition } from '../http/content-disposition.ts';
import { contentTypeOf } from '../http/content-type.ts';
import { isHead, SOON, type Exchange, type Headers } from '../http/exchange.ts';
import { withoutBytes, type Readable } from '../http/send-content.ts';
import type { SeenBlob } from '#store/blobs/look';
import type { PullFiles } from '../pull/pull-files.ts';
import type { FoundRevision } from './find-revision.ts';
import { fileName } from './hub-answers.ts';
import type { RepoFile } from './hub-repo.ts';
import { refuse, refuseGated } from './refuse.ts';

export interface FileParts {
  readonly contents: Contents;
  readonly reader: Reader;
  readonly files: PullFiles | undefined;
}

type Closable = Readable & { close?(): Promise<void> };

/**
 * Answers with a file of a repository: from the store, or as it arrives. To a HEAD all is said from descriptions, whether the bytes are here
 * or not.
 *
 * @throws what reading, proof or the client reject with; nothing more can be sent then
 */
export async function answerFile(
  exchange: Exchange,
  parts: FileParts,
  found: FoundRevision,
  path: string,
): Promise<void> {
  const { commit, files } = found.revision;
  const file = files.get(path);
  const seen = file && (await lookAt(parts, file, found.isMirrored));
  if (file === undefined || seen === 'hidden')
    return refuse(exchange, 404, 'EntryNotFound', `${path} is not here`, { 'x-repo-commit': commit });
  // A 404 would say that the repository has no such file; clients go on without it then.
  if (seen === undefined && !found.isMirrored)
    return unavailable(exchange, `${path} is damaged here, and not fetched again yet`);
  const needsBytes = !isHead(exchange) && file.sizeBytes > 0;
  const content: Closable | 'gated' | undefined = needsBytes
    ? await opened(parts, found, { file, sha256: seen?.sha256, startedAt: exchange.startedAt })
    : withoutBytes(file.sizeBytes);
  if (typeof content !== 'object') return withoutContent(exchange, content, found.repo.name, path);
  try {
    await answerContent(exchange, content, answerOf(file, commit, seen));
  } finally {
    await content.close?.();
  }
}

/**
 * What the store has of the file: undefined for nothing usable, `hidden` for what this reader may not read. All may read what a repository of
 * the hub has, also where a private model has the same file.
 */
async function lookAt(
  { contents, reader }: FileParts,
  file: RepoFile,
  isMirrored: boolean,
): Promise<SeenBlob | 'hidden' | undefined> {
  const sha256 = file.sha256 ?? (await contents.ofDigests({ git: file.git }));
  if (sha256 === undefined) return undefined;
  if (!isMirrored && !reader.mayReadContent(sha256)) return 'hidden';
  const seen = await contents.look(sha256);
  return seen?.sizeBytes === file.sizeBytes && !file.isGone ? seen : undefined;
}

const unavailable = (exchange: Exchange, message: string): void => refuse(exchange, 503, undefined, message, SOON);

function withoutContent(exchange: Exchange, why: 'gated' | undefined, repo: string, path: string): void {
  if (why === 'gated') refuseGated(exchange, repo);
  else unavailable(exchange, `${path} cannot be fetched now`);
}

interface WantedFile {
  readonly file: RepoFile;
  /** Of the content in the store; undefined where it is to be fetched. */
  readonly sha256: string | undefined;
  /** When the request arrived, by `performance.now()`. */
  readonly startedAt: number;
}

/** @returns undefined when the file cannot be had; `gated` when the hub describes it and keeps its bytes from this server */
async function opened(
  { contents, files }: FileParts,
  { repo, revision }: FoundRevision,
  { file, sha256, startedAt }: WantedFile,
): Promise<Closable | 'gated' | undefined> {
  if (sha256 !== undefined) return contents.open(sha256);
  const { path, sizeBytes, git } = file;
  const source = {
    kind: 'huggingface',
    repo: repo.name,
    repoType: repo.type,
    revision: revision.commit,
    path,
  } as const;
  const digests = file.sha256 === undefined ? { git } : { sha256: file.sha256 };
  const growing = files!.pull({ path, sizeBytes, digests, sources: [source] });
  if ((await growing.answerable(startedAt)) === 'readable') return growing.reader();
  return isGated(growing.failure) ? 'gated' : undefined;
}

const isGated = (error: unknown): boolean =>
  error instanceof ExhaustedError &&
  error.failures.some(({ kind, message }) => kind === 'forbidden' && /gated/.test(message));

function answerOf(file: RepoFile, commit: string, seen: SeenBlob | undefined) {
  const { etag, isLarge } = fileName(file, seen?.digests.git);
  const linked = isLarge ? { 'x-linked-etag': `"${etag}"`, 'x-linked-size': file.sizeBytes } : {};
  return {
    etag: `"${etag}"`,
    contentType: contentTypeOf(file.path),
    headers: {
      ...linked,
      ...digestHeaders(file.sha256),
      'x-repo-commit': commit,
      'x-content-type-options': 'nosniff',
      'content-disposition': contentDisposition('attachment', file.path.split('/').at(-1)!),
      'cache-control': 'no-cache',
    },
  };
}

/** The digest of the whole file, also beside a part of it: RFC 9530, and its older form, which aria2 checks by itself. */
function digestHeaders(sha256: string | undefined): Headers {
  if (sha256 === undefined) return {};
  const base64 = Buffer.from(sha256, 'hex').toString('base64');
  return { 'repr-digest': `sha-256=:${base64}:`, digest: `SHA-256=${base64}` };
}
