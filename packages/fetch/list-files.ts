import { VerifyError, SourceError } from '#core/failure';
import type { Digests } from '#core/file-spec';
import { DEFAULT_BUDGETS } from '#core/policy';
import { unsafePathReason } from '#core/text/safe-path';
import { MIB } from '#core/units';
import { listFiles } from '#content/dag/resolve-path';
import type { FetchBlock } from '#content/dag/verified-blocks';
import { hubHead, hubRevision, hubTree, type HubRepo } from '#sources/hub/hub-api';
import { repoPath } from '#sources/hub/hub-url';
import { factsOfEntry, type HubFacts } from './hub-facts.ts';
import { mapConcurrently } from '#core/async/map-concurrently';
import { retrying } from './retrying.ts';

/** One file of a folder that is fetched as a whole. */
export interface FolderFile {
  /** Below the folder; safe to create on this machine. */
  readonly path: string;
  /** As `download` takes it. */
  readonly from: string;
  /** Undefined where no list gives it. */
  readonly sizeBytes: number | undefined;
  readonly digests: Digests;
  /** Length that the folder lists, unproven; for progress alone. */
  readonly listedBytes: number | undefined;
}

export interface ListOptions {
  readonly signal: AbortSignal;
  /** Decides by the path below the folder. */
  readonly isWanted: (path: string) => boolean;
}

const CONNECTIONS = 8;
const MAX_FILES = 100_000;
/** Directory nodes of so many files, and the root nodes of large ones. */
const MAX_NODE_BYTES = 1024 * MIB;

/** Windows refuses names that are fine elsewhere. */
export const LOCAL_PATH_RULES = process.platform === 'win32' ? 'portable' : 'posix';

/**
 * Lists the files below a path of a repository, at the commit that its revision stands for now.
 *
 * @param folder without slashes around it; empty for the whole repository
 * @throws SourceError for a hub that refuses, or lists a path that is not safe here; RangeError when no file is wanted
 */
export async function listRepo(
  repo: HubRepo,
  folder: string,
  { signal, isWanted }: ListOptions,
): Promise<FolderFile[]> {
  const { at, paths } = await pinned(repo, signal);
  const prefix = folder === '' ? '' : `${folder}/`;
  const listed = (await entriesOf(at, paths, signal)).filter(({ path }) => path.startsWith(prefix));
  const wanted = listed
    .map((entry) => ({ ...entry, below: entry.path.slice(prefix.length) }))
    .filter(({ below }) => isWanted(below));
  const shown = `${repoPath(repo)}@${repo.revision}${folder === '' ? '' : `/${folder}`}`;
  if (wanted.length === 0) throw noFile(shown, listed.length);
  for (const { below } of wanted) {
    const reason = unsafePathReason(below, LOCAL_PATH_RULES);
    const what = `lists ${JSON.stringify(below)}, a path that ${reason}: leave it out with --exclude`;
    if (reason !== undefined) throw new SourceError('bad-response', `${new URL(repo.endpoint).host}/${shown}`, what);
  }
  return mapConcurrently(wanted, CONNECTIONS, async ({ path, below, facts }) => {
    const known = facts ?? (await headFacts(at, path, signal));
    const from = `hf:${at.repoType}s/${at.repo}/${path}@${at.revision}`;
    return { path: below, from, ...known, listedBytes: known.sizeBytes };
  });
}

/** A mirror without revisions is asked by the revision's own name. */
async function pinned(
  repo: HubRepo,
  signal: AbortSignal,
): Promise<{ readonly at: HubRepo; readonly paths: readonly string[] | undefined }> {
  try {
    const { commit, paths } = await retrying(() => hubRevision(repo, signal), { budget: BUDGET, signal });
    return { at: { ...repo, revision: commit }, paths };
  } catch (error) {
    if (!isWithoutApi(error)) throw error;
    return { at: repo, paths: undefined };
  }
}

const BUDGET = DEFAULT_BUDGETS.origin;

/** True for a plain 404, which a mirror sends for an unknown address; a hub names in its 404 what is missing. */
const isWithoutApi = (error: unknown): boolean =>
  error instanceof SourceError &&
  (error.kind === 'bad-response' ||
    error.httpStatus === 405 ||
    error.httpStatus === 501 ||
    error.message === 'answered 404');

interface Listed {
  readonly path: string;
  /** Undefined where the list only has names. */
  readonly facts: HubFacts | undefined;
}

/** The tree has sizes and digests; mirrors without a tree name the files along with the revision. */
async function entriesOf(repo: HubRepo, paths: readonly string[] | undefined, signal: AbortSignal): Promise<Listed[]> {
  try {
    const entries = await retrying(() => hubTree(repo, signal), { budget: BUDGET, signal });
    return entries.map((entry) => ({ path: entry.path, facts: factsOfEntry(entry) }));
  } catch (error) {
    if (paths === undefined || !isWithoutApi(error)) throw error;
    return paths.map((path) => ({ path, facts: undefined }));
  }
}

/** A file whose headers cannot be read has no facts here: the request for its bytes reports the failure. */
async function headFacts(repo: HubRepo, path: string, signal: AbortSignal): Promise<HubFacts> {
  try {
    return await retrying(() => hubHead(repo, path, signal), { budget: BUDGET, signal });
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof SourceError)) throw error;
    return { sizeBytes: undefined, digests: {} };
  }
}

/**
 * Lists the files of an IPFS folder, basic or sharded, by verified blocks only.
 *
 * @param path below the CID, `/`-separated; may be empty
 * @throws VerifyError for a CID that is no folder, or has a path that is not safe here; RangeError when no file is wanted; ExhaustedError
 */
export async function listIpfsFolder(
  cid: string,
  path: string,
  fetchBlock: FetchBlock,
  { signal, isWanted }: ListOptions,
): Promise<FolderFile[]> {
  const shown = path === '' ? cid : `${cid}/${path}`;
  const limits = { maxFiles: MAX_FILES, maxInnerBytes: MAX_NODE_BYTES };
  const listed = await listFiles(shown, fetchBlock, { signal, ...limits });
  const wanted = listed.filter((file) => isWanted(file.path));
  if (wanted.length === 0) throw noFile(shown, listed.length);
  for (const file of wanted) {
    const reason = unsafePathReason(file.path, LOCAL_PATH_RULES);
    if (reason !== undefined)
      throw new VerifyError(
        'unsupported',
        `${shown} has ${JSON.stringify(file.path)}, which ${reason}: leave it out with --exclude`,
      );
  }
  return wanted.map(({ path: below, cid: from, sizeBytes: listedBytes }) => ({
    ...{ path: below, from, listedBytes },
    ...{ sizeBytes: undefined, digests: {} },
  }));
}

const noFile = (shown: string, count: number): RangeError =>
  new RangeError(
    count === 0
      ? `${shown} has no file`
      : `${shown} has ${count} files, and --include and --exclude leave none of them`,
  );
