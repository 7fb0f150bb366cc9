import { basename } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { download, type DownloadOptions } from '#fetch/download';
import { parseLocator, type Locator } from '#fetch/locator';
import { tryParseCid } from '#content/cid/cid';
import { hashSpec } from '#content/digest/multihash';
import { messageOf } from '#core/error-facts';
import { VerifyError } from '#core/failure';
import type { CommandContext } from '../../context.ts';
import { CliError, EXIT } from '../../exit-code.ts';
import { FetchAccount } from '../../fetch/fetch-account.ts';
import { failureOf } from '../../fetch/fetch-failure.ts';
import { requestOf, type FetchOptions } from '../../fetch/fetch-request.ts';
import { followFetch } from '../../fetch/follow-fetch.ts';
import { documentOfFailure, documentOfSuccess, oneConnectionNotice, summaryLines } from '../../fetch/tell-fetch.ts';
import { hubEndpoint } from '../../network.ts';
import { createProgress } from '../../terminal/progress.ts';
import { usageOf } from '../../cli-error-of.ts';

const now = (): number => performance.now();

/**
 * Fetches a file, a repository, a folder or the files of a list, without a server of Haulier. After an interruption the same command
 * continues.
 */
export async function fetchCommand(
  what: string | undefined,
  options: FetchOptions,
  context: CommandContext,
): Promise<void> {
  const { inputFile } = options;
  const isOne = (what === undefined) !== (inputFile === undefined);
  if (!isOne) throw new CliError(EXIT.usage, 'give one: what to fetch, or --input-file LIST');
  if (inputFile !== undefined) return (await many()).fetchList(inputFile, options, context);
  const locator = usageOf(() => locatorOf(what!, options, context.env));
  const isSeveral = options.include !== undefined || options.exclude !== undefined || options.parallel !== undefined;
  if (locator?.kind === 'repo' || (locator?.kind === 'cid' && isSeveral))
    return (await many()).fetchFolder(locator, options, context);
  try {
    await fetchFile(what!, options, context);
  } catch (error) {
    // Only the first block of a CID shows that it is a folder.
    if (!(error instanceof FolderInstead)) throw error;
    await (await many()).fetchFolder(error.locator, options, context);
  }
}

const many = () => import('../../fetch/fetch-many.ts');

/** @returns undefined for a text that names no file: fetchFile refuses it, with `--json` as a document */
function locatorOf(what: string, options: FetchOptions, env: NodeJS.ProcessEnv): Locator | undefined {
  try {
    return parseLocator(what, hubEndpoint(options.hfEndpoint, env));
  } catch (error) {
    if (error instanceof RangeError || error instanceof VerifyError) return undefined;
    throw error;
  }
}

class FolderInstead extends Error {
  readonly locator: Extract<Locator, { kind: 'cid' }>;

  constructor(locator: Extract<Locator, { kind: 'cid' }>) {
    super(`${locator.cid} is a folder`);
    this.locator = locator;
  }
}

async function fetchFile(what: string, options: FetchOptions, context: CommandContext): Promise<void> {
  const account = new FetchAccount();
  let request: DownloadOptions | undefined;
  try {
    request = usageOf(() => requestOf(what, options, context.env));
    // V8 would optimize the HTTP parser (WebAssembly) in the background, for longer than 64 MiB take to arrive.
    if (!needsFastWebAssembly(request)) setFlagsFromString('--liftoff-only');
    await fetchAs(request, options, account, context);
  } catch (error) {
    const locator = request === undefined ? undefined : parseLocator(request.from);
    if (error instanceof VerifyError && error.kind === 'is-directory' && locator?.kind === 'cid')
      throw new FolderInstead(locator);
    const failure = failureOf(error, context.signal, isProvable(request), account);
    if (options.json) write(documentOfFailure(request?.to, error, messageOf(failure), account), context);
    throw failure;
  }
}

async function fetchAs(
  request: DownloadOptions,
  options: FetchOptions,
  account: FetchAccount,
  context: CommandContext,
): Promise<void> {
  const display = createProgress(options.progress, context.stderr, context.env, now);
  const label = basename(request.to);
  const follower = followFetch({ label, sizeBytes: request.sizeBytes, display, account, now });
  const startedAt = now();
  let notice = options.json ? undefined : oneConnectionNotice(request);
  const report = await download({
    ...request,
    signal: context.signal,
    onProgress: (progress) => {
      if (notice !== undefined) display.say(notice);
      notice = undefined;
      follower.progressed(progress);
    },
    onNodes: follower.nodes,
    onWaiting: follower.waits,
    onTry: account.tried,
    onBlockFailure: account.failed,
  }).finally(() => follower.end());
  if (options.json) return write(documentOfSuccess(report, account), context);
  for (const line of summaryLines(report, now() - startedAt)) context.stderr.write(`${line}\n`);
  context.stdout.write(`${report.sha256}  ${report.path}\n`);
}

const write = (document: object, { stdout }: CommandContext): void =>
  void stdout.write(`${JSON.stringify(document)}\n`);

/** True for BLAKE leaves: WebAssembly hashes all bytes of the file. The HTTP parser reads only the heads of answers. */
function needsFastWebAssembly({ from }: DownloadOptions): boolean {
  const locator = parseLocator(from);
  const code = locator.kind === 'cid' ? tryParseCid(locator.cid)?.hashCode : undefined;
  return code !== undefined && hashSpec(code)?.native === undefined;
}

const isProvable = (request: DownloadOptions | undefined): boolean =>
  request !== undefined && (Object.keys(request.digests ?? {}).length > 0 || parseLocator(request.from).kind === 'cid');
