import type { Client } from '#client/client';
import type { CreateDownloadsInput, Download, DownloadDetail, DownloadRequest } from '#contracts/http/downloads';
import { nameOf, parseFileLocator, sourcesOf, type FileLocator } from '#fetch/locator';
import { canonicalCid } from '#content/cid/canonical-cid';
import { tryParseCid } from '#content/cid/cid';
import type { SourceSpec } from '#core/file-spec';
import { portableName } from '#core/text/safe-path';
import { formatBytes, parseDuration } from '#core/units';
import { clientFrom, withApi } from '../api-client.ts';
import type { CommandContext } from '../context.ts';
import { CliError, EXIT, type ExitCode } from '../exit-code.ts';
import { createProgress, type ProgressMode } from '../terminal/progress.ts';
import { formatTable } from '../terminal/table.ts';
import { usageOf } from '../usage.ts';
import { watchDownloads } from './watch-downloads.ts';

export interface DownloadOptions {
  readonly host?: string;
  readonly sha256?: string;
  readonly size?: string;
  readonly allowUnverified?: boolean;
  readonly wait?: boolean;
  readonly timeout?: string;
  readonly json?: boolean;
  readonly progress: ProgressMode;
}

/** Asks the API for a model or a single file, and waits for it when told to. */
export async function download(what: string, options: DownloadOptions, context: CommandContext): Promise<void> {
  const client = clientFrom(context.env);
  const request = requestOf(what, options);
  const downloads = await withApi(async () => downloadsOf(client, await client.createDownloads(request)));
  if (!options.wait) {
    context.stdout.write(options.json ? `${JSON.stringify({ downloads })}\n` : `${downloads.map(lineOf).join('\n')}\n`);
    return;
  }
  const display = createProgress(options.progress, context.stderr, context.env, () => performance.now());
  const ended = await withApi(() =>
    watchUntil(options.timeout, context, (signal) => watchDownloads(client, downloads, display, signal)),
  );
  context.stdout.write(options.json ? `${JSON.stringify({ downloads: ended })}\n` : `${summaryOf(ended)}\n`);
  const code = exitCodeOf(ended);
  if (code !== EXIT.done)
    throw new CliError(
      code,
      ended
        .filter((end) => end.status !== 'success')
        .map((end) => `${end.file}: ${end.message}`)
        .join('; '),
    );
}

/** An answer leaves out its downloads when there are many; the list has them. */
async function downloadsOf(client: Client, { downloads, request }: DownloadRequest): Promise<readonly Download[]> {
  const all = [...downloads];
  const { model, version, hosts, created, existing } = request;
  if (all.length > 0 || created + existing === 0 || model === null) return all;
  const filter = { model, version: version ?? undefined, host: hosts[0], limit: 500 };
  for (let cursor: string | undefined; ;) {
    const page = await client.listDownloads({ ...filter, cursor });
    all.push(...page.downloads);
    if (page.nextCursor === null) return newestOfEachFile(all);
    cursor = page.nextCursor;
  }
}

/** The list is newest first, and may hold what earlier requests asked for. */
const newestOfEachFile = (all: readonly Download[]): Download[] => [
  ...new Map(all.toReversed().map((one) => [`${one.host ?? ''} ${one.file}`, one])).values(),
];

/** A model's name has neither a scheme nor a slash, and is no CID. */
function requestOf(what: string, options: DownloadOptions): CreateDownloadsInput {
  const where = options.host === undefined ? {} : { host: options.host };
  const model = /^([a-z0-9][a-z0-9._-]*)(?:@(.+))?$/.exec(what);
  if (model && !looksLikeCid(what)) return { model: model[1]!, ...(model[2] ? { version: model[2] } : {}), ...where };
  const locator = usageOf(() => parseFileLocator(what));
  const file = {
    ...placeOf(what, locator),
    ...(options.sha256 ? { sha256: options.sha256 } : {}),
    ...(options.size ? { sizeBytes: Number(options.size) } : {}),
    ...(options.allowUnverified ? { allowUnverified: true } : {}),
  };
  return { files: [file], ...where };
}

interface Place {
  readonly path: string;
  readonly sources: SourceSpec[];
  readonly cid?: string;
}

/** A worker proves a CID with the gateways that it knows; the URL that the CID was pasted in is one more source of the bytes. */
function placeOf(what: string, locator: FileLocator): Place {
  // The worker's host may be of another system than this one.
  const path = portableName(nameOf(locator));
  if (locator.kind !== 'cid') return { path, sources: sourcesOf(locator).slice() };
  const sources = locator.pasted === undefined ? [] : [{ kind: 'mirror' as const, url: locator.pasted.url }];
  if (locator.path === '') return { path, sources, cid: canonicalCid(locator.cid) };
  if (sources.length > 0) return { path, sources };
  throw new CliError(
    EXIT.usage,
    `"${what}" is a path inside a folder: add it as a model (haulier model add NAME --ipfs ${locator.cid}), or fetch it here (haulier fetch ${what})`,
  );
}

/** In any base; and what is shaped like one of an unknown hash, so that it is told apart from a model nobody has. */
const looksLikeCid = (text: string): boolean => tryParseCid(text) !== undefined || /^b[a-z2-7]{50,}$/.test(text);

async function watchUntil<T>(
  timeout: string | undefined,
  context: CommandContext,
  watch: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  if (timeout === undefined) return watch(context.signal);
  const limit = AbortSignal.timeout(usageOf(() => parseDuration(timeout)));
  try {
    return await watch(AbortSignal.any([limit, context.signal]));
  } catch (error) {
    if (!limit.aborted) throw error;
    throw new CliError(EXIT.timedOut, `still running after ${timeout}; the download goes on`, { cause: error });
  }
}

const lineOf = (one: Download): string => `${one.id}  ${one.status}  ${one.file}`;

function summaryOf(ended: readonly DownloadDetail[]): string {
  const rows = ended.map((end) => [
    end.file,
    end.status,
    formatBytes(end.bytes),
    end.sha256 ?? '',
    end.source ?? '',
    end.path ?? end.message,
  ]);
  return formatTable(['file', 'status', 'bytes', 'sha256', 'source', 'where'], rows, [2]);
}

function exitCodeOf(ended: readonly DownloadDetail[]): ExitCode {
  if (ended.some((end) => end.status === 'failed')) return EXIT.failed;
  return ended.some((end) => end.status === 'cancelled') ? EXIT.cancelled : EXIT.done;
}
