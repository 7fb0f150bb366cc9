import { setTimeout as wait } from 'node:timers/promises';
import { ExhaustedError } from '#core/failure';
import { SECOND_MS } from '#core/units';
import type { Contents } from '../blocks/contents.ts';
import type { Reader } from '../blocks/held-blocks.ts';
import { answerContent } from '../http/answer-content.ts';
import { contentTypeOf } from '../http/content-type.ts';
import { isHead, type Exchange, type Headers } from '../http/exchange.ts';
import type { Readable } from '../http/send-content.ts';
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

/** Longest wait for the first byte of a file that is fetched, before the headers are sent: clients give up after ten seconds. */
const FIRST_BYTE_MS = 8 * SECOND_MS;

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
  const seen = file && (await lookAt(parts, file));
  if (file === undefined || seen === 'hidden')
    return refuse(exchange, 404, 'EntryNotFound', `${path} is not here`, { 'x-repo-commit': commit });
  // A 404 would say that the repository has no such file; clients go on without it then.
  if (seen === undefined && !found.isMirrored)
    return unavailable(exchange, `${path} is damaged here, and not fetched again yet`);
  const needsBytes = !isHead(exchange) && file.sizeBytes > 0;
  const content = needsBytes ? await opened(parts, found, file, seen?.sha256) : described(file);
  if (typeof content !== 'object') return withoutContent(exchange, content, found.repo.name, path);
  try {
    await answerContent(exchange, content, answerOf(file, commit, seen));
  } finally {
    await content.close?.();
  }
}

/** What the store has of the file: undefined for nothing usable, `hidden` for what this reader may not read. */
async function lookAt({ contents, reader }: FileParts, file: RepoFile): Promise<SeenBlob | 'hidden' | undefined> {
  const sha256 = file.sha256 ?? (await contents.ofDigests({ git: file.git }));
  if (sha256 === undefined) return undefined;
  if (!reader.mayReadContent(sha256)) return 'hidden';
  const seen = await contents.look(sha256);
  return seen?.sizeBytes === file.sizeBytes && !file.isGone ? seen : undefined;
}

const unavailable = (exchange: Exchange, message: string): void =>
  refuse(exchange, 503, undefined, message, { 'retry-after': 30 });

function withoutContent(exchange: Exchange, why: 'gated' | undefined, repo: string, path: string): void {
  if (why === 'gated') refuseGated(exchange, repo);
  else unavailable(exchange, `${path} cannot be fetched now`);
}

/** Enough for an answer without a body. */
const described = ({ sizeBytes }: RepoFile): Closable => ({ sizeBytes, proofOf: () => undefined, read: async () => 0 });

/** @returns undefined when the file cannot be had; `gated` when the hub describes it and keeps its bytes from this server */
async function opened(
  { contents, files }: FileParts,
  { repo, revision }: FoundRevision,
  file: RepoFile,
  sha256: string | undefined,
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
  const hasFailed = await Promise.race([
    growing.started.then(() => growing.hasFailed),
    wait(FIRST_BYTE_MS, false, { ref: false }),
  ]);
  if (!hasFailed) return growing.reader();
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
      'content-disposition': `attachment; filename="${asciiName(file.path)}"`,
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

const asciiName = (path: string): string =>
  path
    .split('/')
    .at(-1)!
    .replace(/[^\x20-\x7e]|["\\]/g, '_');
