import { resolve } from 'node:path';
import { download, PUBLIC_HUB, type DownloadReport } from '#fetch/download';
import { downloadMany } from '#fetch/download-many';
import { openSession, type DownloadSession } from '#fetch/download-session';
import { gatewayBlocks } from '#ingest/gateway-blocks';
import { listIpfsFolder, listRepo, type FolderFile } from '#fetch/list-files';
import { parseFileLocator, type Locator } from '#fetch/locator';
import { messageOf } from '#core/error-facts';
import { formatBytes } from '#core/units';
import { cliErrorOf } from '../cli-error-of.ts';
import type { CommandContext } from '../context.ts';
import { CliError, exitCodeOfSignal } from '../exit-code.ts';
import { printable } from '../terminal/cells.ts';
import { longWork } from '../terminal/long-work.ts';
import { createManyProgress, createProgress } from '../terminal/progress.ts';
import { usageOf } from '../usage.ts';
import { FetchAccount } from './fetch-account.ts';
import { failureOf } from './fetch-failure.ts';
import { refuseUnprovided, type FetchOptions } from './fetch-request.ts';
import { ManyFollower } from './follow-many.ts';
import {
  filesOfList,
  folderNameOf,
  manyRequestOf,
  originOf,
  readInputFile,
  refuseClashes,
  targetOf,
  type ManyRequest,
  type WantedFile,
} from './many-request.ts';
import { documentOfFailure, documentOfSuccess, type FetchDocument } from './tell-fetch.ts';
import { documentOfMany, failureOfAll, notBegun, tellMany, wordOf, writeDocument } from './tell-many.ts';

/** More than this many connections to one origin are never open. */
const MOST_CONNECTIONS = 64;

type FolderLocator = Extract<Locator, { kind: 'repo' | 'cid' }>;

const now = (): number => performance.now();

/** Fetches all files of a repository or folder; run again, it goes on with what is missing or changed. */
export async function fetchFolder(
  locator: FolderLocator,
  options: FetchOptions,
  context: CommandContext,
): Promise<void> {
  await telling(options, context, async () => {
    refuseBaseUrl(options);
    const request = manyRequestOf(folderNameOf(locator), options, context.env);
    if (locator.kind === 'cid') refuseUnprovided(locator, request.common.gateways, [], {});
    return withSession(request, async (session) => {
      const files = await listed(locator, request, session, options, context);
      return fetchAll(files, request, session, options, context);
    });
  });
}

/** Fetches the files of an input file. */
export async function fetchList(path: string, options: FetchOptions, context: CommandContext): Promise<void> {
  await telling(options, context, async () => {
    const request = manyRequestOf('.', options, context.env);
    const text = await readInputFile(path, context.stdin);
    const what = path === '-' ? 'standard input' : path;
    const { files, ignored } = filesOfList(what, text, options, request);
    if (ignored.length > 0) context.stderr.write(`${what}: these options mean nothing here: ${ignored.join(', ')}\n`);
    return withSession(request, (session) => fetchAll(files, request, session, options, context));
  });
}

function refuseBaseUrl({ baseUrl }: FetchOptions): void {
  if (baseUrl !== undefined) throw new RangeError('--base-url is for the paths of an input file: leave it out');
}

/** Every way to fail before the first file begins has the same document as all others. */
async function telling(options: FetchOptions, context: CommandContext, work: () => Promise<void>): Promise<void> {
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

async function withSession(request: ManyRequest, work: (session: DownloadSession) => Promise<void>): Promise<void> {
  const session = openSession({ ...request.common, mostConnections: MOST_CONNECTIONS });
  try {
    await work(session);
  } finally {
    session.close();
  }
}

async function listed(
  locator: FolderLocator,
  request: ManyRequest,
  session: DownloadSession,
  options: FetchOptions,
  context: CommandContext,
): Promise<WantedFile[]> {
  const work = longWork(context.stderr, createProgress(options.progress, context.stderr, context.env, now), now);
  const { common, isWanted } = request;
  const gateways = [...pastedGateway(locator), ...common.gateways];
  const how = { signal: context.signal, isWanted };
  try {
    if (locator.kind === 'cid') {
      work.step(`listing ${locator.cid}`);
      const fetchBlock = gatewayBlocks({ gateways, http: session.http });
      return wantedFrom(await listIpfsFolder(locator.cid, locator.path, fetchBlock, how), request, gateways);
    }
    const { path, repoType = 'model', ...place } = locator.source;
    const endpoint = common.hfEndpoint ?? PUBLIC_HUB;
    work.step(`asking ${new URL(endpoint).host} for the files of ${place.repo}@${place.revision}`);
    const repo = { http: session.http, endpoint, token: common.hfToken, ...place, repoType, trusted: true };
    return wantedFrom(await listRepo(repo, path, how), request, gateways);
  } finally {
    work.end();
  }
}

const pastedGateway = (locator: FolderLocator): string[] =>
  locator.kind === 'cid' && locator.pasted ? [locator.pasted.gateway] : [];

const wantedFrom = (files: readonly FolderFile[], { common }: ManyRequest, gateways: readonly string[]): WantedFile[] =>
  files.map(({ path, from, sizeBytes, digests, claimedBytes }) => ({
    ...{ path, claimedBytes, origin: originOf(parseFileLocator(from), { ...common, gateways }) },
    options: { from, sizeBytes, digests, gateways },
  }));

async function fetchAll(
  files: readonly WantedFile[],
  request: ManyRequest,
  session: DownloadSession,
  options: FetchOptions,
  context: CommandContext,
): Promise<void> {
  usageOf(() => refuseClashes(files));
  const display = createManyProgress(options.progress, context.stderr, context.env, now);
  const shown = files.map(({ path, claimedBytes }) => ({ label: path, sizeBytes: claimedBytes }));
  const follower = new ManyFollower(shown, display, now);
  const documents = Array.from<FetchDocument | undefined>({ length: files.length });
  const startedAt = now();
  const ends = await downloadMany(
    files.map(({ origin }) => origin),
    (index) => fetchOne(index, files[index]!, request, { session, follower, documents, context }),
    { parallel: request.parallel, signal: context.signal },
  ).finally(() => follower.end());
  const told = { files, ends, documents, ms: now() - startedAt };
  const failure = failureOfAll(told, context.signal);
  const entries = files.map(({ path }, index) => ({
    name: path,
    ...(documents[index] ?? notBegun(request, files[index]!)),
  }));
  if (options.json)
    writeDocument(
      documentOfMany(resolve(request.folder), entries, failure === undefined ? null : failure.message),
      context,
    );
  else tellMany(told, context);
  if (failure !== undefined) throw failure;
}

interface Running {
  readonly session: DownloadSession;
  readonly follower: ManyFollower;
  readonly documents: (FetchDocument | undefined)[];
  readonly context: CommandContext;
}

async function fetchOne(
  index: number,
  file: WantedFile,
  request: ManyRequest,
  { session, follower, documents, context }: Running,
): Promise<DownloadReport> {
  const account = new FetchAccount();
  const to = targetOf(request, file);
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
    const sentence = `${printable(file.path)}  ${formatBytes(report.sizeBytes)}  ${wordOf(report)}`;
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
