import type { Client } from '#client/client';
import type { CreateDownloadsInput, Download, DownloadDetail, DownloadRequest } from '#contracts/http/downloads';
import { digestFrom } from '#fetch/download-options';
import { openSession } from '#fetch/download-session';
import { hubFacts, type HubFacts } from '#fetch/hub-facts';
import { nameOf, parseFileLocator, sourcesOf, type FileLocator } from '#fetch/locator';
import { canonicalCid } from '#content/cid/canonical-cid';
import { tryParseCid } from '#content/cid/cid';
import type { Digests, SourceSpec } from '#core/file-spec';
import { portableName } from '#core/text/safe-path';
import { ExhaustedError } from '#core/failure';
import { timerDuration } from '#core/settings/setting-kinds';
import { formatBytes } from '#core/units';
import { clientFrom, withApi } from '../api-client.ts';
import { cliErrorOf, usageOf } from '../cli-error-of.ts';
import type { CommandContext } from '../context.ts';
import { CliError, EXIT, type ExitCode } from '../exit-code.ts';
import { WHOLE_BYTES } from '../fetch/fetch-request.ts';
import { authoritiesOf, hubEndpoint, hubToken, proxyOf } from '../network.ts';
import { longWorkOf } from '../terminal/long-work.ts';
import { createProgress, type ProgressMode } from '../terminal/progress.ts';
import { formatTable } from '../terminal/table.ts';
import { optionOf } from '../typed.ts';
import { watchDownloads } from './watch-downloads.ts';

export interface DownloadCommandOptions {
  readonly host?: string;
  readonly sha256?: string;
  readonly size?: string;
  readonly allowUnverified?: boolean;
  readonly wait?: boolean;
  readonly timeout?: string;
  readonly deadline?: string;
  readonly json?: boolean;
  readonly progress: ProgressMode;
}

/** Asks the API for a model or a single file; with `--wait` it waits for the end. */
export async function downloadCommand(
  what: string,
  options: DownloadCommandOptions,
  context: CommandContext,
): Promise<void> {
  const client = clientFrom(context.env);
  const { timeout } = options;
  const timeoutMs = timeout === undefined ? undefined : usageOf(() => optionOf('--timeout', timerDuration, timeout));
  const request = await requestOf(what, options, context);
  const downloads = await withApi(async () => downloadsOf(client, await client.createDownloads(request)));
  if (!options.wait) {
    context.stdout.write(options.json ? `${JSON.stringify({ downloads })}\n` : `${downloads.map(lineOf).join('\n')}\n`);
    return;
  }
  const display = createProgress(options.progress, context.stderr, context.env, () => performance.now());
  const ended = await withApi(() =>
    watchUntil(timeoutMs, options, context, (signal) => watchDownloads(client, downloads, display, signal)),
  );
  context.stdout.write(
    options.json ? `${JSON.stringify({ downloads: ended })}\n` : `${summaryOf(ended, context.stdout.columns)}\n`,
  );
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

/** Reads the list of downloads where the answer leaves them out, because there are many. */
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

/** The list is sorted newest first, and may hold downloads of earlier requests. */
const newestOfEachFile = (all: readonly Download[]): Download[] => [
  ...new Map(all.toReversed().map((one) => [`${one.host ?? ''} ${one.file}`, one])).values(),
];

/** A model's name has neither a scheme nor a slash, and is no CID. */
async function requestOf(
  what: string,
  options: DownloadCommandOptions,
  context: CommandContext,
): Promise<CreateDownloadsInput> {
  const { deadline } = options;
  if (deadline !== undefined) usageOf(() => optionOf('--deadline', timerDuration, deadline));
  const where = {
    ...(options.host === undefined ? {} : { host: options.host }),
    ...(deadline === undefined ? {} : { deadline }),
  };
  const model = /^([a-z0-9][a-z0-9._-]*)(?:@(.+))?$/.exec(what);
  if (model && !looksLikeCid(what)) {
    usageOf(() => refuseFileOptions(what, options));
    return { model: model[1]!, ...(model[2] ? { version: model[2] } : {}), ...where };
  }
  const locator = usageOf(() => parseFileLocator(what, hubEndpoint(undefined, context.env)));
  const { sha256, size } = options;
  const typed = usageOf(() => ({
    ...(sha256 === undefined ? {} : { sha256: digestFrom('--sha256', 'sha256', sha256) }),
    ...(size === undefined ? {} : { sizeBytes: optionOf('--size', WHOLE_BYTES, size) }),
    ...(options.allowUnverified ? { allowUnverified: true } : {}),
  }));
  const place = placeOf(what, locator);
  const proof = sha256 === undefined && locator.kind === 'hub' ? await hubProof(locator, options, context) : {};
  return { files: [{ ...place, ...proof, ...typed }], ...where };
}

const FILE_OPTIONS = { sha256: '--sha256', size: '--size', allowUnverified: '--allow-unverified' } as const;

function refuseFileOptions(what: string, options: DownloadCommandOptions): void {
  for (const name of ['sha256', 'size', 'allowUnverified'] as const)
    if (options[name] !== undefined)
      throw new RangeError(
        `${FILE_OPTIONS[name]} is for a single file, and "${what}" is a model, whose manifest has sizes and digests: leave it out`,
      );
}

interface FileProof {
  readonly sha256?: string;
  readonly digests?: Omit<Digests, 'sha256'>;
  readonly sizeBytes?: number;
}

/** The length and digest that the hub has of its file, as `haulier fetch` uses them; empty where the hub has none. */
async function hubProof(
  { source }: Extract<FileLocator, { kind: 'hub' }>,
  { allowUnverified, progress }: DownloadCommandOptions,
  context: CommandContext,
): Promise<FileProof> {
  const { path, repoType = 'model', repo, revision } = source;
  const endpoint = hubEndpoint(undefined, context.env);
  const session = openSession({ proxy: proxyOf(context.env), ca: authoritiesOf(undefined, context.env) });
  const work = longWorkOf(progress, context);
  const place = { http: session.http, endpoint, token: hubToken(context.env), repo, repoType, revision, trusted: true };
  try {
    work.step(`asking ${new URL(endpoint).host} for the digest of ${path}`);
    return proofOf(await hubFacts(place, path, { signal: context.signal }));
  } catch (error) {
    if (allowUnverified && error instanceof ExhaustedError) return {};
    throw context.signal.aborted ? error : cliErrorOf(error, () => '; give --sha256, or try again later');
  } finally {
    work.end();
    session.close();
  }
}

const proofOf = ({ sizeBytes, digests: { sha256, ...digests } }: HubFacts): FileProof => ({
  ...(sha256 === undefined ? {} : { sha256 }),
  ...(Object.keys(digests).length === 0 ? {} : { digests }),
  ...(sizeBytes === undefined ? {} : { sizeBytes }),
});

interface Place {
  readonly path: string;
  readonly sources: SourceSpec[];
  readonly cid?: string;
}

/** A worker proves a CID with its own gateways; the URL that the CID was pasted in becomes a source of the bytes. */
function placeOf(what: string, locator: FileLocator): Place {
  // The worker's host may have another operating system than this machine.
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

/** True in any base, and for a text in the form of a CID with an unknown hash, which is then not taken for a model. */
const looksLikeCid = (text: string): boolean => tryParseCid(text) !== undefined || /^b[a-z2-7]{50,}$/.test(text);

async function watchUntil<T>(
  timeoutMs: number | undefined,
  { timeout }: DownloadCommandOptions,
  context: CommandContext,
  watch: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  if (timeoutMs === undefined) return watch(context.signal);
  const limit = AbortSignal.timeout(timeoutMs);
  try {
    return await watch(AbortSignal.any([limit, context.signal]));
  } catch (error) {
    if (!limit.aborted) throw error;
    throw new CliError(EXIT.timedOut, `still running after ${timeout}; the download continues`, { cause: error });
  }
}

const lineOf = (one: Download): string => `${one.id}  ${one.status}  ${one.file}`;

/**
 * The table of ended downloads.
 *
 * @param columns width of the terminal; undefined for a file
 */
export function summaryOf(ended: readonly DownloadDetail[], columns: number | undefined): string {
  const rows = ended.map((end) => [
    end.file,
    end.status,
    formatBytes(end.bytes),
    end.sha256 ?? '',
    end.source ?? '',
    end.path ?? end.message,
  ]);
  return formatTable(['file', 'status', 'bytes', 'sha256', 'source', 'where'], rows, [2], columns);
}

function exitCodeOf(ended: readonly DownloadDetail[]): ExitCode {
  if (ended.some((end) => end.status === 'failed')) return EXIT.failed;
  return ended.some((end) => end.status === 'cancelled') ? EXIT.cancelled : EXIT.done;
}
