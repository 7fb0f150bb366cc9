import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { DownloadOptions } from '#fetch/download';
import { nameOf, parseFileLocator, parseUrl, type Locator } from '#fetch/locator';
import { tryParseCid } from '#content/cid/cid';
import { IDENTITY } from '#content/digest/multihash';
import { DIGEST_ALGORITHMS, type DigestAlgorithm, type Digests, type Strategy } from '#core/file-spec';
import { parseBytes, parseDuration } from '#core/units';
import { allowedAddresses, authoritiesOf, gatewaysOf, hubEndpoint, hubToken, proxyOf } from '../network.ts';
import type { ProgressMode } from '../terminal/progress.ts';

export interface FetchOptions {
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
  readonly parallel?: string;
  readonly inputFile?: string;
  readonly baseUrl?: string;
  readonly output?: string;
  readonly sha256?: string;
  readonly sha512?: string;
  readonly sha1?: string;
  readonly md5?: string;
  readonly git?: string;
  readonly size?: string;
  readonly mirror?: readonly string[];
  readonly gateway?: readonly string[];
  readonly hfEndpoint?: string;
  readonly connections?: string;
  readonly limitRate?: string;
  readonly stallTimeout: string;
  readonly strategy: string;
  readonly allowPrivate?: boolean;
  readonly allowDowngrade?: boolean;
  readonly useSystemCa?: boolean;
  readonly strict?: boolean;
  readonly json?: boolean;
  readonly progress: ProgressMode;
}

/** Hexadecimal digits of each digest that may be typed. */
const DIGEST_CHARS: Readonly<Record<DigestAlgorithm, number>> = { sha256: 64, sha512: 128, sha1: 40, md5: 32, git: 40 };

/**
 * What was typed, as the library takes it.
 *
 * @throws RangeError, VerifyError that name the option, its value and what would be right
 */
export function requestOf(what: string, options: FetchOptions, env: NodeJS.ProcessEnv): DownloadOptions {
  for (const name of ['include', 'exclude', 'parallel', 'baseUrl'] as const)
    if (options[name] !== undefined) throw notForOneFile(name, what);
  const common = commonOf(options, env);
  const locator = parseFileLocator(what, common.hfEndpoint);
  const { mirror: mirrors = [] } = options;
  for (const url of mirrors) ofOption('--mirror', () => parseUrl(url));
  const digests = digestsOf(options);
  if (locator.kind === 'cid') refuseUnprovided(locator, common.gateways, mirrors, digests);
  if (locator.kind === 'url') refuseUnprovenDowngrade(options, digests);
  const sizeBytes = wholeNumber('--size', options.size, 0);
  const name = nameOf(locator);
  const to = targetOf(options.output, name);
  // A name that was typed is the user's; one that is only the end of a URL gives way to the server's.
  const nameByServer = locator.kind === 'url' && to !== options.output;
  return { ...common, from: what, to, ...(nameByServer && { nameByServer }), mirrors, sizeBytes, digests };
}

/** What holds for every file of a fetch. */
export type CommonOptions = Omit<DownloadOptions, 'from' | 'to' | 'mirrors' | 'sizeBytes' | 'digests'> & {
  readonly gateways: readonly string[];
  readonly hfEndpoint: string;
};

/** @throws RangeError that names the option or variable, its value and what would be right */
export function commonOf(options: FetchOptions, env: NodeJS.ProcessEnv): CommonOptions {
  return {
    gateways: ofOption('--gateway', () => gatewaysOf(options.gateway ?? [], env)),
    hfEndpoint: hubEndpoint(options.hfEndpoint, env),
    hfToken: hubToken(env),
    connections: wholeNumber('--connections', options.connections, 1),
    limitBytesPerSecond:
      options.limitRate === undefined ? undefined : positive('--limit-rate', options.limitRate, parseBytes),
    stallTimeoutMs: positive('--stall-timeout', options.stallTimeout, parseDuration),
    strategy: strategyOf(options.strategy),
    allowPrivate: options.allowPrivate,
    allowAddresses: allowedAddresses(env),
    allowDowngrade: options.allowDowngrade,
    ca: authoritiesOf(options.useSystemCa, env),
    strict: options.strict,
    proxy: proxyOf(env),
  };
}

const TYPED = { include: '--include', exclude: '--exclude', parallel: '--parallel', baseUrl: '--base-url' } as const;

const notForOneFile = (name: keyof typeof TYPED, what: string): RangeError =>
  new RangeError(
    `${TYPED[name]} is for several files, and "${what}" names one: ` +
      (name === 'baseUrl'
        ? 'it goes with --input-file'
        : 'leave it out, or name a repository, a folder or --input-file'),
  );

/** @throws RangeError when nothing is there that could give or prove a CID */
export function refuseUnprovided(
  locator: Extract<Locator, { kind: 'cid' }>,
  gateways: readonly string[],
  mirrors: readonly string[],
  digests: Digests,
): void {
  if (isProvided(locator, gateways, mirrors, digests)) return;
  throw new RangeError(
    'no IPFS gateway to ask: give --gateway BASE or set IPFS_GATEWAYS, or give --mirror URL and the digest of the file',
  );
}

/** A CID is proven with blocks, which only gateways give; a mirror's bytes need a digest. */
function isProvided(
  { cid, pasted }: Extract<Locator, { kind: 'cid' }>,
  gateways: readonly string[],
  mirrors: readonly string[],
  digests: Digests,
): boolean {
  const carriesBytes = tryParseCid(cid)?.hashCode === IDENTITY;
  return (
    carriesBytes ||
    pasted !== undefined ||
    gateways.length > 0 ||
    (mirrors.length > 0 && Object.keys(digests).length > 0)
  );
}

/** Plain HTTP shows neither who answers nor that bytes are as they were sent: something else has to prove them. */
function refuseUnprovenDowngrade({ allowDowngrade }: FetchOptions, digests: Digests): void {
  if (allowDowngrade === true && Object.keys(digests).length === 0)
    throw new RangeError('--allow-downgrade needs a digest or a CID: give --sha256, so that the bytes are proven');
}

/** An existing folder as output means: this name in there, as with cp. */
function targetOf(output: string | undefined, name: string): string {
  if (output === undefined) return name;
  if (output === '' || output === '-')
    throw new RangeError(`--output is "${output}": write a path; bytes are proven in a file before anyone sees them`);
  return output.endsWith('/') || isFolder(output) ? join(output, name) : output;
}

/** What cannot be looked at is named when it is written. */
function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

/** @throws RangeError that shows where it stood, the text and what would be right */
export function digestOf(where: string, algorithm: DigestAlgorithm, text: string): string {
  const chars = DIGEST_CHARS[algorithm];
  if (text.length === chars && /^[0-9a-f]+$/i.test(text)) return text.toLowerCase();
  throw new RangeError(`${where} is "${text}": write ${chars} hexadecimal digits`);
}

export function digestsOf(options: FetchOptions): Digests {
  const digests: { -readonly [name in DigestAlgorithm]?: string } = {};
  for (const name of DIGEST_ALGORITHMS) {
    const text = options[name];
    if (text !== undefined) digests[name] = digestOf(`--${name}`, name, text);
  }
  return digests;
}

export function wholeNumber(option: string, text: string | undefined, least: number): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < least)
    throw new RangeError(`${option} is "${text}": write a whole number of at least ${least}`);
  return value;
}

function positive(option: string, text: string, parse: (text: string) => number): number {
  const value = ofOption(option, () => parse(text));
  if (value > 0) return value;
  throw new RangeError(`${option} is "${text}": write something above 0`);
}

/** A parser knows the text, not the option that it stands for. */
export function ofOption<T>(option: string, parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new RangeError(`${option}: ${cause.message}`, { cause });
  }
}

function strategyOf(text: string): Strategy {
  if (text === 'ordered' || text === 'parallel') return text;
  throw new RangeError(`--strategy is "${text}": write ordered or parallel`);
}
