import { resolve } from 'node:path';
import { parseCid } from '#content/cid/cid';
import { resolvePath } from '#content/dag/resolve-path';
import type { SourceError } from '#core/failure';
import type { Digests, FileSpec, Strategy } from '#core/file-spec';
import type { Layer } from '#core/layer';
import { silentLogger, type Logger } from '#core/logger';
import { DEFAULT_BUDGETS } from '#core/policy';
import type { Source } from '#core/source';
import type { ProxySettings } from '#http/connection/proxy';
import { makeSources } from '#sources/make-sources';
import type { Progress, TryRecord } from '#transfer/report/transfer-options';
import { blockFetcher } from './block-fetcher.ts';
import { reportOf, reportOfProven, type DownloadReport } from './download-report.ts';
import { oldBytesAt, provenTarget } from './target/existing-target.ts';
import { openSession, type DownloadSession } from './download-session.ts';
import { hubFacts } from './hub-facts.ts';
import { parseFileLocator, parseUrl, sourcesOf, type FileLocator } from './locator.ts';
import { obtain, type NodesProgress, type Obtained } from './obtain.ts';
import { publishTarget } from './target/publish-target.ts';
import { HereAlready, ServedName } from './served-name.ts';
import { leaseTarget, tidyTarget, type TargetLease } from './target/target-lease.ts';
import { preparePlace } from './target/target-place.ts';

/** What users of the library name: how it fails, and what it tells. */
export type { DownloadReport } from './download-report.ts';
export { ExhaustedError, StorageError, VerifyError } from '#core/failure';
export type { SourceError, SourceFailure } from '#core/failure';
export type { NodesProgress } from './obtain.ts';
export type { Progress, SourceProgress, SourceReport, TryRecord } from '#transfer/report/transfer-options';

export interface DownloadOptions {
  /**
   * `<cid>`, `<cid>/<path>`, `ipfs://…`, `http(s)://…`, `file:///…` or `hf:[datasets/|spaces/]owner/repo/path[@revision]`. A file of a hub is
   * proven by the digest that the hub has of it, unless `digests` says one. A URL of an IPFS gateway
   * (`https://<gateway>/ipfs/<cid>`, `https://<cid>.ipfs.<host>`) means that CID, and the gateway is asked first.
   */
  readonly from: string;
  /** Where the file shall be; missing folders are made. The partial and its journal grow beside it. */
  readonly to: string;
  /**
   * Put the file beside `to` under the name that its server gives it (Content-Disposition), where it gives one and no other file has that name;
   * default false.
   */
  readonly nameByServer?: boolean | undefined;
  /** More URLs of the same bytes, also of files of this machine (`file:///path`): they are proven like any other's. */
  readonly mirrors?: readonly string[] | undefined;
  /** IPFS gateways, best first. */
  readonly gateways?: readonly string[] | undefined;
  /** Default: the public hub. */
  readonly hfEndpoint?: string | undefined;
  /** Sent to the hub's own origin and nowhere else. */
  readonly hfToken?: string | undefined;
  /** Exact length in bytes. */
  readonly sizeBytes?: number | undefined;
  readonly digests?: Digests | undefined;
  /** Most connections per source; default 4. */
  readonly connections?: number | undefined;
  readonly limitBytesPerSecond?: number | undefined;
  /** No byte for this long is a failure; milliseconds; default 30,000. */
  readonly stallTimeoutMs?: number | undefined;
  /** Default `ordered`: gateways first, then hub and mirrors. */
  readonly strategy?: Strategy | undefined;
  /** Let redirects lead to private addresses. Addresses that are named here are always allowed. */
  readonly allowPrivate?: boolean | undefined;
  /** Private addresses that redirects may lead to, such as `10.0.0.0/8`, `gateway.lan` or `gateway.lan:8080`. */
  readonly allowAddresses?: readonly string[] | undefined;
  /** Follow redirects from https to http, where a digest or a CID decides about the bytes. */
  readonly allowDowngrade?: boolean | undefined;
  /** Certificate authorities in PEM, instead of Node's own. */
  readonly ca?: string | readonly string[] | undefined;
  /** Refuse bytes that nothing proves. */
  readonly strict?: boolean | undefined;
  readonly proxy?: ProxySettings | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  /** Told of each request for bytes of the file, or run of block requests, when it has ended. */
  readonly onTry?: ((record: TryRecord) => void) | undefined;
  /** Told of each block of the DAG that a source did not give, before there are bytes to ask for. */
  readonly onBlockFailure?: ((error: SourceError) => void) | undefined;
  /** Told how many nodes of the DAG are here, of those that are known so far. */
  readonly onNodes?: ((nodes: NodesProgress) => void) | undefined;
  /** Told once when another program is fetching to the same target: this call goes on when that one has ended. */
  readonly onWaiting?: ((holder: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly logger?: Logger | undefined;
  /** What several downloads share; default one of its own. Its options go before those of this download. */
  readonly session?: DownloadSession | undefined;
}

export const PUBLIC_HUB = 'https://huggingface.co';

const LAYERS: readonly Layer[] = ['ipfs', 'huggingface'];

/**
 * Fetches one file, proves it and puts it in place, without any server of ours. Interrupted, the same call goes on where it was. Two
 * calls for one target, in whatever programs, follow one another.
 *
 * @throws RangeError for a `from` that names no file; ExhaustedError naming every source and why it failed; VerifyError; StorageError;
 *   the signal's reason
 */
export async function download(options: DownloadOptions): Promise<DownloadReport> {
  const session = options.session ?? openSession(options);
  try {
    const locator = parseFileLocator(options.from, options.hfEndpoint ?? PUBLIC_HUB);
    const signal = options.signal ?? new AbortController().signal;
    return await downloadIn(session, locator, await knownOf(options, locator, session, signal), signal);
  } finally {
    if (options.session === undefined) session.close();
  }
}

/** What a hub says of its file proves it, unless the caller knows better. */
async function knownOf(
  options: DownloadOptions,
  locator: FileLocator,
  { http }: DownloadSession,
  signal: AbortSignal,
): Promise<DownloadOptions> {
  if (locator.kind !== 'hub' || Object.keys(options.digests ?? {}).length > 0) return options;
  const { hfEndpoint: endpoint = PUBLIC_HUB, hfToken: token, onBlockFailure: onFailure } = options;
  const { path, repoType = 'model', ...place } = locator.source;
  const facts = await hubFacts({ http, endpoint, token, ...place, repoType, trusted: true }, path, {
    signal,
    onFailure,
  });
  return { ...options, digests: facts.digests, sizeBytes: options.sizeBytes ?? facts.sizeBytes };
}

async function downloadIn(
  session: DownloadSession,
  locator: FileLocator,
  options: DownloadOptions,
  signal: AbortSignal,
): Promise<DownloadReport> {
  const target = resolve(options.to);
  const existing = await reportOfExisting(target, options, locator, signal);
  if (existing) {
    if (await session.leftovers.areAt(target)) await tidyTarget(target, options.logger);
    return existing;
  }
  const cleanUp = await preparePlace(target);
  try {
    const { onWaiting, logger } = options;
    const lease = await leaseTarget(target, { signal, onWaiting, logger, leftovers: session.leftovers });
    const anyEnd = AbortSignal.any([signal, lease.lost]);
    const report = await reportWith(lease, target, locator, options, session, anyEnd);
    await lease.discard();
    return report;
  } catch (error) {
    await cleanUp();
    throw error;
  }
}

/** Who was displaced says so, whatever it was doing when it noticed. */
async function reportWith(
  lease: TargetLease,
  target: string,
  locator: FileLocator,
  options: DownloadOptions,
  session: DownloadSession,
  signal: AbortSignal,
): Promise<DownloadReport> {
  try {
    const found = lease.hasWaited ? await reportOfExisting(target, options, locator, signal) : undefined;
    return found ?? (await downloadAlone(target, locator, options, lease, session, signal));
  } catch (error) {
    await lease.release();
    lease.lost.throwIfAborted();
    throw error;
  }
}

async function downloadAlone(
  target: string,
  locator: FileLocator,
  options: DownloadOptions,
  lease: TargetLease,
  session: DownloadSession,
  signal: AbortSignal,
): Promise<DownloadReport> {
  const file = await fileOf(locator, options, session, signal);
  const name = new ServedName(target, { sizeBytes: file.sizeBytes, digests: file.digests });
  const own = sourcesFor(file, locator, options, session);
  const sources = options.nameByServer ? own.map(name.heardBy) : own;
  try {
    const anyEnd = AbortSignal.any([signal, name.found]);
    const obtained = await obtainBeside(target, lease, file, sources, options, session, anyEnd);
    const place = await name.placeFor(obtained.digests.sha256!);
    await lease.assertMine();
    await publishTarget(obtained.partialPath, place);
    return reportOf(place, obtained);
  } catch (error) {
    if (signal.aborted || !(name.found.reason instanceof HereAlready)) throw error;
    return reportOfProven(name.found.reason.path, name.found.reason.existing);
  }
}

/** What is wanted, as the chain knows it: a path below a CID is resolved to the file's own CID first. */
async function fileOf(
  locator: FileLocator,
  options: DownloadOptions,
  session: DownloadSession,
  signal: AbortSignal,
): Promise<FileSpec> {
  const mirrors = (options.mirrors ?? []).map((url) => ({ kind: 'mirror' as const, url: parseUrl(url).href }));
  const file: FileSpec = {
    path: options.to,
    sizeBytes: options.sizeBytes,
    digests: options.digests ?? {},
    sources: [...sourcesOf(locator), ...mirrors],
  };
  if (locator.kind !== 'cid') return file;
  const { cid, original } = parseCid(locator.cid);
  if (locator.path === '') return { ...file, cid: original };
  const folder = sourcesFor({ ...file, cid }, locator, options, session);
  const { fetchBlock } = blockFetcher(folder, {
    budgets: DEFAULT_BUDGETS,
    now: () => performance.now(),
    random: Math.random,
    onFailure: options.onBlockFailure,
  });
  return { ...file, cid: await resolvePath(cid, locator.path.split('/'), fetchBlock, { signal }) };
}

async function obtainBeside(
  target: string,
  lease: TargetLease,
  file: FileSpec,
  sources: readonly Source[],
  options: DownloadOptions,
  { throttles }: DownloadSession,
  signal: AbortSignal,
): Promise<Obtained> {
  return obtain(file, {
    sources,
    layers: LAYERS,
    strategy: options.strategy ?? 'ordered',
    partialPath: lease.partialPath,
    salvage: [...(await oldBytesAt(target)), ...lease.salvage],
    connections: options.connections,
    throttles,
    strict: options.strict,
    onProgress: options.onProgress,
    onTry: options.onTry,
    onBlockFailure: options.onBlockFailure,
    onNodes: options.onNodes,
    logger: options.logger ?? silentLogger,
    signal,
  });
}

function sourcesFor(
  file: FileSpec,
  locator: FileLocator,
  options: DownloadOptions,
  { http, health, gates }: DownloadSession,
): Source[] {
  const typed = file.sources.flatMap((source) => (source.kind === 'mirror' ? [source.url] : []));
  return makeSources(file, {
    gateways: [...pastedGateway(locator), ...(options.gateways ?? [])],
    hfEndpoint: options.hfEndpoint ?? PUBLIC_HUB,
    hfToken: options.hfToken,
    layers: LAYERS,
    trustedUrls: typed,
    allowDowngrade: options.allowDowngrade,
    ...{ http, health, gates },
    logger: options.logger ?? silentLogger,
  });
}

const pastedGateway = (locator: FileLocator): string[] =>
  locator.kind === 'cid' && locator.pasted ? [locator.pasted.gateway] : [];

async function reportOfExisting(
  path: string,
  options: DownloadOptions,
  locator: FileLocator,
  signal: AbortSignal,
): Promise<DownloadReport | undefined> {
  const cid = locator.kind === 'cid' && locator.path === '' ? parseCid(locator.cid).original : undefined;
  const expected = { sizeBytes: options.sizeBytes, digests: options.digests ?? {}, cid };
  const existing = await provenTarget(path, expected, signal);
  return existing && reportOfProven(path, existing);
}
