import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { DownloadOptions } from '#fetch/download';
import { digestFrom } from '#fetch/download-options';
import { nameOf, parseFileLocator, parseUrl, type Locator } from '#fetch/locator';
import { tryParseCid } from '#content/cid/cid';
import { IDENTITY } from '#content/digest/multihash';
import { DIGEST_ALGORITHMS, type DigestAlgorithm, type Digests } from '#core/file-spec';
import { duration, oneOf, rate, wholeNumber, type SettingKind } from '#core/settings/setting-kinds';
import { readAllowedAddresses, authoritiesOf, gatewaysOf, hubEndpoint, hubToken, proxyOf } from '../network.ts';
import type { ProgressMode } from '../terminal/progress.ts';
import { ofOption, optionOf } from '../typed.ts';

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

/** Also of `haulier download --size`. */
export const WHOLE_BYTES = wholeNumber(0, Number.MAX_SAFE_INTEGER, 'write a whole number of at least 0');
const CONNECTIONS = wholeNumber(1, Number.MAX_SAFE_INTEGER, 'write a whole number of at least 1');
const STRATEGY = oneOf(['ordered', 'parallel']);

/**
 * The options of the command line as options of the library.
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
  const sizeBytes = given('--size', WHOLE_BYTES, options.size);
  const name = nameOf(locator);
  const to = targetOf(options.output, name);
  // The server's name replaces one that is only the end of a URL, never one that the user typed.
  const nameByServer = locator.kind === 'url' && to !== options.output;
  return { ...common, from: what, to, ...(nameByServer && { nameByServer }), mirrors, sizeBytes, digests };
}

/** The options of every file of a fetch. */
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
    connections: given('--connections', CONNECTIONS, options.connections),
    limitBytesPerSecond: given('--limit-rate', rate, options.limitRate),
    stallTimeoutMs: optionOf('--stall-timeout', duration, options.stallTimeout),
    strategy: optionOf('--strategy', STRATEGY, options.strategy),
    allowPrivate: options.allowPrivate,
    allowAddresses: readAllowedAddresses(env),
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

/** @throws RangeError when no source could give or prove a CID */
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

/** A CID is proven by blocks, which only gateways give; a mirror's bytes need a digest. */
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

/** Plain HTTP authenticates neither the server nor the bytes, so a digest or a CID has to prove them. */
function refuseUnprovenDowngrade({ allowDowngrade }: FetchOptions, digests: Digests): void {
  if (allowDowngrade === true && Object.keys(digests).length === 0)
    throw new RangeError('--allow-downgrade needs a digest or a CID: give --sha256, so that the bytes are proven');
}

/** In an existing folder the file gets its own name, as with cp. */
function targetOf(output: string | undefined, name: string): string {
  if (output === undefined) return name;
  if (output === '' || output === '-')
    throw new RangeError(
      `--output is "${output}": write a path; the bytes are proven in a file before they are visible`,
    );
  return output.endsWith('/') || isFolder(output) ? join(output, name) : output;
}

/** False also for a path that cannot be looked at: writing to it reports why. */
function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

const given = <Value>(option: string, kind: SettingKind<Value>, text: string | undefined): Value | undefined =>
  text === undefined ? undefined : optionOf(option, kind, text);

function digestsOf(options: FetchOptions): Digests {
  const digests: { -readonly [name in DigestAlgorithm]?: string } = {};
  for (const name of DIGEST_ALGORITHMS) {
    const text = options[name];
    if (text !== undefined) digests[name] = digestFrom(`--${name}`, name, text);
  }
  return digests;
}
