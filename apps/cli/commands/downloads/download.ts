import type { ApiClient } from '#client/client';
import type { CreateDownloadsInput, Download, DownloadRequest } from '#contracts/http/downloads';
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
import { clientFrom, withApiDocument } from '../../api-client.ts';
import { cliErrorOf, usageOf } from '../../cli-error-of.ts';
import type { CommandContext } from '../../context.ts';
import {
  DOWNLOADS_SCHEMA,
  awaitDownloads,
  lineOf,
  waitLimitsOf,
  type AwaitOptions,
} from '../../downloads/await-downloads.ts';
import { CliError, EXIT } from '../../exit-code.ts';
import { WHOLE_BYTES } from '../../fetch/fetch-request.ts';
import { authoritiesOf, hubEndpoint, hubToken, proxyOf } from '../../network.ts';
import { reconnecting } from '../../rollout/reconnect.ts';
import { longWorkOf } from '../../terminal/long-work.ts';
import { optionOf } from '../../typed.ts';

export interface DownloadCommandOptions extends AwaitOptions {
  readonly host?: string;
  readonly allowUnknown?: boolean;
  readonly sha256?: string;
  readonly size?: string;
  readonly allowUnverified?: boolean;
  readonly wait?: boolean;
  readonly deadline?: string;
}

/** Asks the API for a model or a single file; with `--wait` it waits for the end. */
export async function downloadCommand(
  what: string,
  options: DownloadCommandOptions,
  context: CommandContext,
): Promise<void> {
  const client = clientFrom(context.env);
  const limits = waitLimitsOf(options);
  const request = await requestOf(what, options, context);
  // Repeating the request shares what the lost answer was about.
  const downloads = await withApiDocument(options, context, async () => {
    const create = (): Promise<DownloadRequest> => client.createDownloads(request);
    const say = (error: Error): unknown => context.stderr.write(`${error.message}; trying again\n`);
    return downloadsOf(client, await reconnecting(create, limits.maxDisconnectMs, context.signal, say));
  });
  if (!options.wait) {
    const document = { schema: DOWNLOADS_SCHEMA, downloads, exitCode: EXIT.done };
    context.stdout.write(options.json ? `${JSON.stringify(document)}\n` : `${downloads.map(lineOf).join('\n')}\n`);
    return;
  }
  await awaitDownloads(client, downloads, options, context);
}

/** Reads the list of downloads where the answer leaves them out, because there are many. */
async function downloadsOf(client: ApiClient, { downloads, request }: DownloadRequest): Promise<readonly Download[]> {
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
  const { host, allowUnknown, deadline } = options;
  if (deadline !== undefined) usageOf(() => optionOf('--deadline', timerDuration, deadline));
  const where = {
    ...(host === undefined ? {} : { host }),
    ...(allowUnknown ? { allowUnknown } : {}),
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
