import { resolve } from 'node:path';
import { parseCid } from '#content/cid/cid';
import { resolvePath } from '#content/dag/resolve-path';
import { VerifyError } from '#core/failure';
import type { FileSpec } from '#core/file-spec';
import type { Layer, Outcome } from '#core/layer';
import { silentLogger } from '#core/logger';
import { DEFAULT_BUDGETS } from '#core/policy';
import type { Source } from '#core/source';
import { makeSources } from '#sources/make-sources';
import type { SourceReport } from '#transfer/report/transfer-options';
import { blockFetcher } from './block-fetcher.ts';
import { checkOptions, type DownloadOptions } from './download-options.ts';
import { openSession, type DownloadSession } from './download-session.ts';
import { hubFacts, PUBLIC_HUB } from './hub-facts.ts';
import { parseFileLocator, parseUrl, sourcesOf, type FileLocator } from './locator.ts';
import { obtain, type Obtained } from './obtain.ts';
import { FileUnderServedName, ServedName } from './served-name.ts';
import { oldBytesAt, provenTarget, type ExistingTarget } from './target/existing-target.ts';
import { publishTarget } from './target/publish-target.ts';
import { leaseTarget, tidyTarget, type TargetLease } from './target/target-lease.ts';
import { preparePlace } from './target/target-place.ts';

/** The types and errors that users of the library name. */
export type { DownloadOptions } from './download-options.ts';
export { ExhaustedError, StorageError, VerifyError } from '#core/failure';
export type { SourceError, SourceFailure } from '#core/failure';
export type { NodesProgress } from './obtain.ts';
export type { Progress, SourceProgress, SourceReport, TryRecord } from '#transfer/report/transfer-options';

export interface DownloadReport {
  /** Absolute. */
  readonly path: string;
  readonly sizeBytes: number;
  readonly sha256: string;
  /** Undefined also for a CID that was asked for, when only a digest proved the bytes. */
  readonly cid: string | undefined;
  readonly outcome: Outcome;
  /** False when nothing proved the bytes. */
  readonly verified: boolean;
  readonly resumedBytes: number;
  readonly wastedBytes: number;
  readonly badLeaves: number;
  readonly sources: readonly SourceReport[];
}

/** One call of `download`, with everything that its steps need. */
interface Run {
  readonly options: DownloadOptions;
  readonly locator: FileLocator;
  readonly session: DownloadSession;
  /** Absolute. */
  readonly target: string;
  readonly signal: AbortSignal;
}

const LAYERS: readonly Layer[] = ['ipfs', 'origin'];

/**
 * Fetches one file, proves it and puts it in place, without a server of Haulier. After an interruption the same call continues with
 * the bytes that are proven. Calls for the same target, in whatever programs, run one after another.
 *
 * @throws RangeError for an option that is unknown or wrong, and for a `from` that names no file; ExhaustedError naming every source and
 *   why it failed; VerifyError; StorageError; the signal's reason
 */
export async function download(options: DownloadOptions): Promise<DownloadReport> {
  checkOptions(options);
  const session = options.session ?? openSession(options);
  try {
    const locator = parseFileLocator(options.from, options.hfEndpoint ?? PUBLIC_HUB);
    const signal = options.signal ?? new AbortController().signal;
    const run = await withHubFacts({ options, locator, session, target: resolve(options.to), signal });
    return (await existingReport(run)) ?? (await fetchToTarget(run));
  } finally {
    if (options.session === undefined) session.close();
  }
}

/** The digest that a hub has of its file proves it, unless the caller gave one. */
async function withHubFacts(run: Run): Promise<Run> {
  const { options, locator, session, signal } = run;
  if (locator.kind !== 'hub' || Object.keys(options.digests ?? {}).length > 0) return run;
  const { hfEndpoint: endpoint = PUBLIC_HUB, hfToken: token, onBlockFailure: onFailure } = options;
  const { path, repoType = 'model', ...place } = locator.source;
  const repo = { http: session.http, endpoint, token, ...place, repoType, trusted: true };
  const { digests, sizeBytes } = await hubFacts(repo, path, { signal, onFailure });
  return { ...run, options: { ...options, digests, sizeBytes: options.sizeBytes ?? sizeBytes } };
}

async function existingReport(run: Run): Promise<DownloadReport | undefined> {
  const { target, session, options } = run;
  const report = await provenReport(run);
  if (report && (await session.leftovers.areAt(target))) await tidyTarget(target, options.logger);
  return report;
}

/** @returns undefined when nothing proves that the file at the target is the wanted one */
async function provenReport({ target, options, locator, signal }: Run): Promise<DownloadReport | undefined> {
  const cid = locator.kind === 'cid' && locator.path === '' ? parseCid(locator.cid).original : undefined;
  const expected = { sizeBytes: options.sizeBytes, digests: options.digests ?? {}, cid };
  const existing = await provenTarget(target, expected, signal);
  return existing && reportOfProven(target, existing);
}

async function fetchToTarget(run: Run): Promise<DownloadReport> {
  const { target, session, signal } = run;
  const { onWaiting, logger } = run.options;
  const removeMadeFolders = await preparePlace(target);
  try {
    const lease = await leaseTarget(target, { signal, onWaiting, logger, leftovers: session.leftovers });
    const report = await fetchUnderLease({ ...run, signal: AbortSignal.any([signal, lease.lost]) }, lease);
    await lease.discard();
    return report;
  } catch (error) {
    await removeMadeFolders();
    throw error;
  }
}

/** A run whose lease another program took fails with that reason, whatever step noticed it. */
async function fetchUnderLease(run: Run, lease: TargetLease): Promise<DownloadReport> {
  try {
    const found = lease.hasWaited ? await provenReport(run) : undefined;
    return found ?? (await fetchAndPublish(run, lease));
  } catch (error) {
    await lease.release();
    lease.lost.throwIfAborted();
    throw error;
  }
}

async function fetchAndPublish(run: Run, lease: TargetLease): Promise<DownloadReport> {
  const file = await fileOf(run);
  const name = new ServedName(run.target, { sizeBytes: file.sizeBytes, digests: file.digests });
  const sources = run.options.nameByServer ? sourcesFor(file, run).map(name.listeningTo) : sourcesFor(file, run);
  try {
    const obtained = await obtainBeside(
      { ...run, signal: AbortSignal.any([run.signal, name.found]) },
      lease,
      file,
      sources,
    );
    const place = await name.placeFor(obtained.digests.sha256!);
    await lease.assertMine();
    await publishTarget(obtained.partialPath, place);
    return reportOf(place, obtained);
  } catch (error) {
    if (run.signal.aborted || !(name.found.reason instanceof FileUnderServedName)) throw error;
    return reportOfProven(name.found.reason.path, name.found.reason.existing);
  }
}

/** The wanted file; a path below a CID is resolved to the file's own CID first. */
async function fileOf(run: Run): Promise<FileSpec> {
  const { options, locator, signal } = run;
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
  const { fetchBlock } = blockFetcher(sourcesFor({ ...file, cid }, run), {
    budgets: DEFAULT_BUDGETS,
    now: () => performance.now(),
    random: Math.random,
    onFailure: options.onBlockFailure,
  });
  return { ...file, cid: await resolvePath(cid, locator.path.split('/'), fetchBlock, { signal }) };
}

async function obtainBeside(
  { options, session, target, signal }: Run,
  lease: TargetLease,
  file: FileSpec,
  sources: readonly Source[],
): Promise<Obtained> {
  const { connections, strict, onProgress, onTry, onBlockFailure, onNodes, logger = silentLogger } = options;
  return obtain(file, {
    sources,
    layers: LAYERS,
    strategy: options.strategy ?? 'ordered',
    partialPath: lease.partialPath,
    salvage: [...(await oldBytesAt(target)), ...lease.salvage],
    throttles: session.throttles,
    ...{ connections, strict, onProgress, onTry, onBlockFailure, onNodes, logger, signal },
  });
}

function sourcesFor(file: FileSpec, { options, locator, session: { http, health, gates } }: Run): Source[] {
  const typed = file.sources.flatMap((source) => (source.kind === 'mirror' ? [source.url] : []));
  const pasted = locator.kind === 'cid' && locator.pasted ? [locator.pasted.gateway] : [];
  return makeSources(file, {
    gateways: [...pasted, ...(options.gateways ?? [])],
    hfEndpoint: options.hfEndpoint ?? PUBLIC_HUB,
    hfToken: options.hfToken,
    layers: LAYERS,
    trustedUrls: typed,
    allowDowngrade: options.allowDowngrade,
    ...{ http, health, gates },
    logger: options.logger ?? silentLogger,
  });
}

/** @throws VerifyError when the transfer computed no digest */
function reportOf(path: string, obtained: Obtained): DownloadReport {
  const { sha256 } = obtained.digests;
  if (sha256 === undefined) throw new VerifyError('unproven', `the transfer of ${path} ended without a digest`);
  const { sizeBytes, cid, outcome, resumedBytes, wastedBytes, badLeaves, sources } = obtained;
  const verified = obtained.verified !== 'none';
  return { path, sizeBytes, sha256, cid, outcome, verified, resumedBytes, wastedBytes, badLeaves, sources };
}

const reportOfProven = (path: string, { sizeBytes, digests, cid }: ExistingTarget): DownloadReport => ({
  path,
  sizeBytes,
  sha256: digests.sha256!,
  cid,
  outcome: 'cache_hit',
  verified: true,
  resumedBytes: sizeBytes,
  wastedBytes: 0,
  badLeaves: 0,
  sources: [],
});
