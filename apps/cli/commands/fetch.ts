import { basename } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { download, type DownloadOptions } from '#chain/download';
import { parseLocator } from '#chain/locator';
import { tryParseCid } from '#content/cid';
import { hashSpec } from '#content/multihash';
import { messageOf } from '#core/error-facts';
import type { CommandContext } from '../context.ts';
import { FetchAccount } from '../fetch/fetch-account.ts';
import { failureOf } from '../fetch/fetch-failure.ts';
import { requestOf, type FetchOptions } from '../fetch/fetch-request.ts';
import { followFetch } from '../fetch/follow-fetch.ts';
import { documentOfFailure, documentOfSuccess, oneConnectionNotice, summaryLines } from '../fetch/tell-fetch.ts';
import { createProgress } from '../terminal/progress.ts';
import { usageOf } from '../usage.ts';

const now = (): number => performance.now();

/** Fetches one file without any server; run again after an interruption, it goes on. */
export async function fetchFile(what: string, options: FetchOptions, context: CommandContext): Promise<void> {
  const account = new FetchAccount();
  let request: DownloadOptions | undefined;
  try {
    request = usageOf(() => requestOf(what, options, context.env));
    // V8 would optimize the HTTP parser (WebAssembly) in the background, for longer than 64 MiB take to arrive.
    if (!needsFastWebAssembly(request)) setFlagsFromString('--liftoff-only');
    await fetchAs(request, options, account, context);
  } catch (error) {
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

/** BLAKE leaves are hashed by WebAssembly, all of the file's bytes; the parser sees its heads only. */
function needsFastWebAssembly({ from }: DownloadOptions): boolean {
  const locator = parseLocator(from);
  const code = locator.kind === 'cid' ? tryParseCid(locator.cid)?.hashCode : undefined;
  return code !== undefined && hashSpec(code)?.native === undefined;
}

const isProvable = (request: DownloadOptions | undefined): boolean =>
  request !== undefined && (Object.keys(request.digests ?? {}).length > 0 || parseLocator(request.from).kind === 'cid');
