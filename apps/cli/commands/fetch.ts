import { statSync } from 'node:fs';
import { join } from 'node:path';
import { download, type DownloadOptions, type DownloadReport } from '#chain/download';
import { nameOf, parseLocator } from '#chain/locator';
import { tryParseCid } from '#content/cid';
import { IDENTITY } from '#content/multihash';
import { ExhaustedError } from '#core/failure';
import type { Digests, Strategy } from '#core/file-spec';
import type { Outcome } from '#core/layer';
import { formatBytes, formatDuration, parseBytes, parseDuration } from '#core/units';
import { cliErrorOf } from '../cli-error-of.ts';
import type { CommandContext } from '../context.ts';
import { CliError, EXIT, exitCodeOfSignal } from '../exit-code.ts';
import { gatewaysOf, httpUrl, proxyOf } from '../network.ts';
import { secret } from '../stack/stack-config.ts';
import { createProgress, type ProgressDisplay, type ProgressMode } from '../terminal/progress.ts';
import { usageOf } from '../usage.ts';

export interface FetchOptions {
  readonly output?: string;
  readonly sha256?: string;
  readonly md5?: string;
  readonly sha1?: string;
  readonly size?: string;
  readonly mirror: readonly string[];
  readonly gateway: readonly string[];
  readonly hfEndpoint?: string;
  readonly connections?: string;
  readonly limitRate?: string;
  readonly stallTimeout: string;
  readonly strategy: string;
  readonly allowPrivate?: boolean;
  readonly strict?: boolean;
  readonly json?: boolean;
  readonly progress: ProgressMode;
}

const DIGEST_CHARS = { sha256: 64, md5: 32, sha1: 40 } as const;

/** Fetches one file without any server; run again after an interruption, it goes on. */
export async function fetchFile(what: string, options: FetchOptions, context: CommandContext): Promise<void> {
  const request = usageOf(() => requestOf(what, options, context.env));
  const errors: string[] = [];
  const display = createProgress(options.progress, context.stderr, context.env, () => performance.now());
  const startedAt = performance.now();
  try {
    const report = await download({
      ...request,
      signal: context.signal,
      onProgress: (progress) => show(display, request.to, progress),
      onTry: ({ source, failure }) => failure && errors.push(`${source}: ${failure.message}`),
    });
    display.end();
    tell(report, errors, performance.now() - startedAt, options, context);
  } catch (error) {
    display.end();
    const failure = failureOf(error, context.signal);
    if (options.json && failure instanceof CliError && failure.exitCode === EXIT.failed)
      tellFailure(request.to, error, failure.message, errors, context);
    throw failure;
  }
}

function requestOf(what: string, options: FetchOptions, env: NodeJS.ProcessEnv): DownloadOptions {
  const locator = parseLocator(what);
  for (const url of [...options.mirror, ...(options.hfEndpoint ? [options.hfEndpoint] : [])]) httpUrl(url);
  const gateways = gatewaysOf(options.gateway, env);
  if (locator.kind === 'cid' && gateways.length + options.mirror.length === 0 && !carriesBytes(locator.cid))
    throw new RangeError('no IPFS gateway to ask: give --gateway BASE or set IPFS_GATEWAYS');
  return {
    from: what,
    to: targetOf(options.output, nameOf(locator)),
    mirrors: options.mirror,
    gateways,
    hfEndpoint: options.hfEndpoint ?? (env['HF_ENDPOINT'] || undefined),
    hfToken: secret(env, 'HF_TOKEN'),
    sizeBytes: wholeNumber('--size', options.size, 0),
    digests: digestsOf(options),
    connections: wholeNumber('--connections', options.connections, 1),
    limitBytesPerSecond:
      options.limitRate === undefined ? undefined : positive('--limit-rate', parseBytes(options.limitRate)),
    stallTimeoutMs: positive('--stall-timeout', parseDuration(options.stallTimeout)),
    strategy: strategyOf(options.strategy),
    allowPrivate: options.allowPrivate,
    strict: options.strict,
    proxy: proxyOf(env),
  };
}

const carriesBytes = (cid: string): boolean => tryParseCid(cid)?.hashCode === IDENTITY;

/** An existing folder as output means: this name in there, as with cp. */
function targetOf(output: string | undefined, name: string): string {
  if (output === undefined) return name;
  const isFolder = output.endsWith('/') || (statSync(output, { throwIfNoEntry: false })?.isDirectory() ?? false);
  return isFolder ? join(output, name) : output;
}

function digestsOf(options: FetchOptions): Digests {
  const digests: { -readonly [name in keyof Digests]: Digests[name] } = {};
  for (const [name, chars] of Object.entries(DIGEST_CHARS) as [keyof typeof DIGEST_CHARS, number][]) {
    const value = options[name]?.toLowerCase();
    if (value === undefined) continue;
    if (!new RegExp(`^[0-9a-f]{${chars}}$`).test(value))
      throw new RangeError(`--${name} is "${value}": write ${chars} hexadecimal digits`);
    digests[name] = value;
  }
  return digests;
}

function wholeNumber(option: string, text: string | undefined, least: number): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < least)
    throw new RangeError(`${option} is "${text}": write a whole number of at least ${least}`);
  return value;
}

function positive(option: string, value: number): number {
  if (value > 0) return value;
  throw new RangeError(`${option} is 0: write something above it`);
}

function strategyOf(text: string): Strategy {
  if (text === 'ordered' || text === 'parallel') return text;
  throw new RangeError(`--strategy is "${text}": write ordered or parallel`);
}

function show(
  display: ProgressDisplay,
  label: string,
  progress: Parameters<NonNullable<DownloadOptions['onProgress']>>[0],
): void {
  display.update([
    {
      label,
      doneBytes: progress.committedBytes,
      totalBytes: progress.totalBytes,
      bytesPerSecond: progress.bytesPerSecond,
      note: progress.activeSources.join(', '),
    },
  ]);
}

function tell(
  report: DownloadReport,
  errors: readonly string[],
  ms: number,
  options: FetchOptions,
  context: CommandContext,
): void {
  if (options.json) {
    context.stdout.write(`${JSON.stringify({ ...report, cid: report.cid ?? null, errors })}\n`);
    return;
  }
  const label = report.verified
    ? 'verified'
    : 'UNVERIFIED: nothing proved these bytes; for next time: --sha256 ' + report.sha256;
  const from = report.sources.filter(({ bytes }) => bytes > 0).map(({ source }) => source);
  context.stderr.write(
    `${report.path}  ${formatBytes(report.sizeBytes)} in ${formatDuration(ms)}` +
      `${from.length > 0 ? ` from ${from.join(', ')}` : ''}  ${label}\n`,
  );
  context.stdout.write(`${report.sha256}  ${report.path}\n`);
}

function tellFailure(
  path: string,
  error: unknown,
  message: string,
  errors: readonly string[],
  context: CommandContext,
): void {
  const outcome: Outcome | null = error instanceof ExhaustedError ? 'all_layers_exhausted' : null;
  context.stdout.write(`${JSON.stringify({ path, outcome, verified: false, error: message, errors })}\n`);
}

function failureOf(error: unknown, signal: AbortSignal): unknown {
  if (signal.aborted)
    return new CliError(exitCodeOfSignal(signal.reason), 'interrupted; the same command goes on from here');
  return cliErrorOf(error, (failure) =>
    failure instanceof ExhaustedError && failure.failures.length === 0
      ? '; give --gateway BASE or --mirror URL, or set IPFS_GATEWAYS'
      : '',
  );
}
