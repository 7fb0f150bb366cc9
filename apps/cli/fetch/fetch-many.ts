import { resolve } from 'node:path';
import { download, type DownloadReport } from '#fetch/download';
import { downloadMany } from '#fetch/download-many';
import { openSession, type DownloadSession } from '#fetch/download-session';
import { gatewayBlocks } from '#ingest/gateway-blocks';
import { listIpfsFolder, listRepo, type FolderFile } from '#fetch/list-files';
import { parseFileLocator, type Locator } from '#fetch/locator';
import { messageOf } from '#core/error-facts';
import { formatBytes } from '#core/units';
import { cliErrorOf, usageOf } from '../cli-error-of.ts';
import type { CommandContext } from '../context.ts';
import { CliError, exitCodeOfSignal } from '../exit-code.ts';
import { printable } from '../terminal/cells.ts';
import { longWorkOf } from '../terminal/long-work.ts';
import { createManyProgress } from '../terminal/progress.ts';
import { FetchAccount } from './fetch-account.ts';
import { failureOf } from './fetch-failure.ts';
import { refuseUnprovided, type FetchOptions } from './fetch-request.ts';
import { ManyFollower } from './follow-many.ts';
import {
  filesOfList,
  folderNameOf,
  manyRequestOf,
  originOf,
  pathOnDisk,
  readInputFile,
  refuseClashes,
  type ManyRequest,
  type WantedFile,
} from './many-request.ts';
import { documentOfFailure, documentOfSuccess, type FetchDocument } from './tell-fetch.ts';
import { documentOfMany, failureOfAll, notStarted, stateOf, tellMany, writeDocument } from './tell-many.ts';

/** Most open connections to one origin. */
const MOST_CONNECTIONS = 64;

type FolderLocator = Extract<Locator, { kind: 'repo' | 'cid' }>;

/** A command for several files, with everything that its steps need. */
interface ManyFetch {
  readonly request: ManyRequest;
  readonly session: DownloadSession;
  readonly options: FetchOptions;
  readonly context: CommandContext;
}

const now = (): number => performance.now();

/** Fetches all files of a repository or folder. After an interruption, the same command fetches what is missing or changed. */
export async function fetchFolder(
  locator: FolderLocator,
  options: FetchOptions,
  context: CommandContext,
): Promise<void> {
  await withDocument(options, context, async () => {
    if (options.baseUrl !== undefined)
      throw new RangeError('--base-url is for the paths of an input file: leave it out');
    const request = manyRequestOf(folderNameOf(locator), options, context.env);
    if (locator.kind === 'cid') refuseUnprovided(locator, request.common.gateways, [], {});
    await withSession({ request, options, context }, async (fetch) => fetchAll(await listed(locator, fetch), fetch));
  });
}

/** Fetches the files of an input file. */
export async function fetchList(path: string, options: FetchOptions, context: CommandContext): Promise<void> {
  await withDocument(options, context, async () => {
    const request = manyRequestOf('.', options, context.env);
    const text = await readInputFile(path, context.stdin);
    const what = path === '-' ? 'standard input' : path;
    const { files, ignored } = filesOfList(what, text, options, request);
    if (ignored.length > 0) context.stderr.write(`${what}: these options have no effect here: ${ignored.join(', ')}\n`);
    await withSession({ request, options, context }, (fetch) => fetchAll(files, fetch));
  });
}

/** With `--json` a failure before the first file has a document of the same form as all others. */
async function withDocument(options: FetchOptions, context: CommandContext, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (error instanceof CliError) throw error;
    const failure = context.signal.aborted
      ? new CliError(exitCodeOfSignal(context.signal.reason), 'interrupted before the first file')
      : cliErrorOf(error);
    const path = options.output === undefined ? null : resolve(options.output);
    if (options.json) writeDocument(documentOfMany(path, [], messageOf(failure)), context);
    throw failure;
  }
}

async function withSession(
  fetch: Omit<ManyFetch, 'session'>,
  work: (fetch: ManyFetch) => Promise<void>,
): Promise<void> {
  const session = openSession({ ...fetch.request.common, mostConnections: MOST_CONNECTIONS });
  try {
    await work({ ...fetch, session });
  } finally {
    session.close();
  }
}

async function listed(locator: FolderLocator, fetch: ManyFetch): Promise<WantedFile[]> {
  const { request, session, options, context } = fetch;
  const work = longWorkOf(options.progress, context);
  const { common, isWanted } = request;
  const how = { signal: context.signal, isWanted };
  try {
    if (locator.kind === 'cid') {
      work.step(`listing ${locator.cid}`);
      const gateways = [...(locator.pasted ? [locator.pasted.gateway] : []), ...common.gateways];
      const fetchBlock = gatewayBlocks({ gateways, http: session.http });
      return wantedFrom(await listIpfsFolder(locator.cid, locator.path, fetchBlock, how), request, gateways);
    }
    const { path, repoType = 'model', ...place } = locator.source;
    const { hfEndpoint: endpoint, hfToken: token, gateways } = common;
    work.step(`asking ${new URL(endpoint).host} for the files of ${place.repo}@${place.revision}`);
    const repo = { http: session.http, endpoint, token, ...place, repoType, trusted: true };
    return wantedFrom(await listRepo(repo, path, how), request, gateways);
  } finally {
    work.end();
  }
}

const wantedFrom = (files: readonly FolderFile[], { common }: ManyRequest, gateways: readonly string[]): WantedFile[] =>
  files.map(({ path, from, sizeBytes, digests, listedBytes }) => ({
    ...{ path, listedBytes, origin: originOf(parseFileLocator(from), { ...common, gateways }) },
    options: { from, sizeBytes, digests, gateways },
  }));

async function fetchAll(files: readonly WantedFile[], fetch: ManyFetch): Promise<void> {
  const { request, options, context } = fetch;
  usageOf(() => refuseClashes(files));
  const display = createManyProgress(options.progress, context.stderr, context.env, now);
  const shown = files.map(({ path, listedBytes }) => ({ label: path, sizeBytes: listedBytes }));
  const follower = new ManyFollower(shown, display, now);
  const documents = Array.from<FetchDocument | undefined>({ length: files.length });
  const startedAt = now();
  const ends = await downloadMany(
    files.map(({ origin }) => origin),
    (index) => fetchOne(index, files[index]!, fetch, { follower, documents }),
    { parallel: request.parallel, signal: context.signal },
  ).finally(() => follower.end());
  const results = { files, ends, documents, ms: now() - startedAt };
  const failure = failureOfAll(results, context.signal);
  if (options.json) {
    const entries = files.map((file, index) => ({
      name: file.path,
      ...(documents[index] ?? notStarted(request, file)),
    }));
    writeDocument(documentOfMany(resolve(request.folder), entries, failure?.message ?? null), context);
  } else tellMany(results, context);
  if (failure !== undefined) throw failure;
}

interface Outputs {
  readonly follower: ManyFollower;
  readonly documents: (FetchDocument | undefined)[];
}

async function fetchOne(
  index: number,
  file: WantedFile,
  { request, session, context }: ManyFetch,
  { follower, documents }: Outputs,
): Promise<DownloadReport> {
  const account = new FetchAccount();
  const to = pathOnDisk(request, file);
  follower.begun(index);
  try {
    const report = await download({
      ...request.common,
      ...file.options,
      ...{ to, session, signal: context.signal },
      onProgress(progress) {
        account.progressed(progress);
        follower.progressed(index, progress);
      },
      onTry: account.tried,
      onBlockFailure: account.failed,
    });
    documents[index] = documentOfSuccess(report, account);
    const sentence = `${printable(file.path)}  ${formatBytes(report.sizeBytes)}  ${stateOf(report)}`;
    follower.succeeded(index, report.sizeBytes, sentence);
    return report;
  } catch (error) {
    const failure = failureOf(error, context.signal, Object.keys(file.options.digests ?? {}).length > 0, account);
    documents[index] = documentOfFailure(to, error, messageOf(failure), account);
    const sentence = `${printable(file.path)}  ${context.signal.aborted ? 'interrupted' : `failed: ${messageOf(failure)}`}`;
    follower.failed(index, sentence);
    throw failure;
  }
}
