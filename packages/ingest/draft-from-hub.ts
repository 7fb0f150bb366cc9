import { startDigests, type RunningDigests } from '#content/digest/digests';
import { SourceError } from '#core/failure';
import type { HubRepoType } from '#core/text/hub-name';
import type { Logger } from '#core/logger';
import { silentLogger } from '#core/logger';
import { DEFAULT_BUDGETS, type Budget } from '#core/policy';
import type { Source } from '#core/source';
import { unsafePathReason } from '#core/text/safe-path';
import type { Http } from '#http/pool';
import { hubCommit, hubTree, type HubEntry, type HubRepo } from '#sources/hub/hub-api';
import { huggingface } from '#sources/hub/huggingface';
import type { Draft, DraftFile, OnIngestProgress } from './draft.ts';
import { mapConcurrently } from '#core/async/map-concurrently';
import { selection, selectionText, type PathSelection } from './path-filter.ts';
import { retrying } from '#fetch/retrying';

export interface HubIngestOptions extends PathSelection {
  /** `owner/name`. */
  readonly repo: string;
  readonly repoType: HubRepoType;
  /** Branch, tag or commit; the draft names the commit that it stands for now. */
  readonly revision: string;
  readonly endpoint: string;
  /** Sent to the endpoint's own origin and nowhere else. */
  readonly token?: string | undefined;
  readonly http: Http;
  readonly signal: AbortSignal;
  readonly budget?: Budget | undefined;
  readonly logger?: Logger | undefined;
  readonly onProgress?: OnIngestProgress | undefined;
}

/** Small files that are read at once. */
const CONNECTIONS = 8;

/**
 * Lists a repository at one commit. The list has the SHA-256 of large files. Small files, for which it has only the git name, are read
 * and hashed, so that every file has a SHA-256.
 *
 * @throws SourceError when the hub refuses (its message says why) or sends other bytes than it lists; RangeError when the globs leave no
 *   file
 */
export async function draftFromHub(options: HubIngestOptions): Promise<Draft> {
  const { http, endpoint, token, repo, repoType, signal } = options;
  const isWanted = selection(options);
  const budget = options.budget ?? DEFAULT_BUDGETS.origin;
  const ask = <T>(work: () => Promise<T>): Promise<T> => retrying(work, { budget, signal });
  const at = (revision: string): HubRepo => ({ http, endpoint, token, repo, repoType, revision, trusted: true });
  const commit = await ask(() => hubCommit(at(options.revision), signal));
  const entries = (await ask(() => hubTree(at(commit), signal))).filter(({ path }) => isWanted(path));
  if (entries.length === 0) throw noFile(options);
  for (const entry of entries) refuseUnusable(entry, options);
  return {
    version: commit,
    files: await withSha256(entries, commit, ask, options),
    sources: [{ kind: 'huggingface', repo, repoType, revision: commit }],
  };
}

const noFile = (options: HubIngestOptions): RangeError =>
  new RangeError(`${options.repo}@${options.revision} has no file${selectionText(options)}`);

/** The list is untrusted: a path that would leave its folder must not get into a manifest. */
function refuseUnusable({ path, sha256, gitSha1 }: HubEntry, { endpoint, repo }: HubIngestOptions): void {
  const refuse = (what: string): SourceError =>
    new SourceError(
      'bad-response',
      `${new URL(endpoint).host}/${repo}`,
      `lists ${JSON.stringify(path)}, ${what}: leave it out with --exclude`,
    );
  const unsafe = unsafePathReason(path);
  if (unsafe !== undefined) throw refuse(`a path that ${unsafe}`);
  if (sha256 === undefined && gitSha1 === undefined) throw refuse('a file without any digest');
}

async function withSha256(
  entries: readonly HubEntry[],
  commit: string,
  ask: <T>(work: () => Promise<T>) => Promise<T>,
  options: HubIngestOptions,
): Promise<DraftFile[]> {
  const small = entries.filter(({ sha256 }) => sha256 === undefined);
  const totalBytes = small.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  let doneBytes = 0;
  const onBytes = (count: number): void => {
    doneBytes += count;
    options.onProgress?.({ what: `hashing ${small.length} small files`, doneBytes, totalBytes });
  };
  return mapConcurrently(entries, CONNECTIONS, async ({ path, sizeBytes, sha256, gitSha1 }) => ({
    path,
    sizeBytes,
    sha256: sha256 ?? (await ask(() => hashFile(path, { sizeBytes, gitSha1: gitSha1! }, commit, onBytes, options))),
  }));
}

/** A failed try subtracts its bytes from the progress. */
async function hashFile(
  path: string,
  blob: HubBlob,
  commit: string,
  onBytes: (count: number) => void,
  { http, endpoint, token, repo, repoType, signal, logger = silentLogger }: HubIngestOptions,
): Promise<string> {
  const file = { endpoint, repo, repoType, revision: commit, path };
  let seenBytes = 0;
  try {
    const source = huggingface({ http, file, token, trusted: true, logger });
    return await hashSource(source, blob, (count) => (onBytes(count), (seenBytes += count)), signal);
  } catch (error) {
    onBytes(-seenBytes);
    throw error;
  }
}

/** Facts of a small file in the hub's list. */
interface HubBlob {
  readonly sizeBytes: number;
  /** Name of the git blob. */
  readonly gitSha1: string;
}

/**
 * Reads and hashes a whole file without keeping its bytes.
 *
 * @returns SHA-256, when length and git name are those of the hub's list
 * @throws SourceError `interrupted` for a short answer, `digest-mismatch` for other bytes, and those of the source
 */
async function hashSource(
  source: Source,
  { sizeBytes, gitSha1 }: HubBlob,
  onBytes: (count: number) => void,
  signal: AbortSignal,
): Promise<string> {
  const running = startDigests(['sha256', 'git'], { sizeBytes });
  let seenBytes = 0;
  const write = (chunk: Uint8Array): void => {
    seenBytes += chunk.length;
    if (seenBytes > sizeBytes)
      throw new SourceError('size-mismatch', source.name, `sends more than the ${sizeBytes} bytes of its file list`);
    running.update(chunk);
    onBytes(chunk.length);
  };
  await source.read({ sizeBytes }, { head: () => undefined, write }, signal);
  if (seenBytes < sizeBytes)
    throw new SourceError('interrupted', source.name, `ended after ${seenBytes} of ${sizeBytes} bytes`);
  return checkedSha256(source, running, gitSha1);
}

function checkedSha256(source: Source, running: RunningDigests, gitSha1: string): string {
  const { sha256, git } = running.finish().digests;
  if (git !== gitSha1)
    throw new SourceError('digest-mismatch', source.name, `sends git blob ${git}, its file list has ${gitSha1}`);
  return sha256!;
}
