import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { DownloadOptions } from '#chain/download';
import { nameOf, parseLocator, parseUrl, type Locator } from '#chain/locator';
import { tryParseCid } from '#content/cid';
import { IDENTITY } from '#content/multihash';
import { DIGEST_ALGORITHMS, type DigestAlgorithm, type Digests, type Strategy } from '#core/file-spec';
import { parseBytes, parseDuration } from '#core/units';
import { authoritiesOf, gatewaysOf, httpUrl, proxyOf } from '../network.ts';
import { settingsFrom } from '../settings.ts';
import { secret } from '../stack/stack-config.ts';
import type { ProgressMode } from '../terminal/progress.ts';

export interface FetchOptions {
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
  const locator = parseLocator(what);
  const { mirror: mirrors = [], gateway = [] } = options;
  for (const url of mirrors) ofOption('--mirror', () => parseUrl(url));
  ofOption('--hf-endpoint', () => options.hfEndpoint === undefined || httpUrl(options.hfEndpoint));
  const gateways = ofOption('--gateway', () => gatewaysOf(gateway, env));
  const digests = digestsOf(options);
  if (locator.kind === 'cid' && !isProvided(locator, gateways, mirrors, digests))
    throw new RangeError(
      'no IPFS gateway to ask: give --gateway BASE or set IPFS_GATEWAYS, or give --mirror URL and the digest of the file',
    );
  return {
    from: what,
    to: targetOf(options.output, nameOf(locator)),
    mirrors,
    gateways,
    hfEndpoint: options.hfEndpoint ?? settingsFrom(env, 'HF_ENDPOINT').HF_ENDPOINT,
    hfToken: secret(env, 'HF_TOKEN'),
    sizeBytes: wholeNumber('--size', options.size, 0),
    digests,
    connections: wholeNumber('--connections', options.connections, 1),
    limitBytesPerSecond:
      options.limitRate === undefined ? undefined : positive('--limit-rate', options.limitRate, parseBytes),
    stallTimeoutMs: positive('--stall-timeout', options.stallTimeout, parseDuration),
    strategy: strategyOf(options.strategy),
    allowPrivate: options.allowPrivate,
    allowDowngrade: downgradeOf(options, locator, digests),
    ca: authoritiesOf(options.useSystemCa, env),
    strict: options.strict,
    proxy: proxyOf(env),
  };
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
function downgradeOf({ allowDowngrade }: FetchOptions, { kind }: Locator, digests: Digests): boolean | undefined {
  if (allowDowngrade === true && kind !== 'cid' && Object.keys(digests).length === 0)
    throw new RangeError('--allow-downgrade needs a digest or a CID: give --sha256, so that the bytes are proven');
  return allowDowngrade;
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

function digestsOf(options: FetchOptions): Digests {
  const digests: { -readonly [name in DigestAlgorithm]?: string } = {};
  for (const name of DIGEST_ALGORITHMS) {
    const text = options[name];
    if (text === undefined) continue;
    const chars = DIGEST_CHARS[name];
    if (text.length !== chars || !/^[0-9a-f]+$/i.test(text))
      throw new RangeError(`--${name} is "${text}": write ${chars} hexadecimal digits`);
    digests[name] = text.toLowerCase();
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

function positive(option: string, text: string, parse: (text: string) => number): number {
  const value = ofOption(option, () => parse(text));
  if (value > 0) return value;
  throw new RangeError(`${option} is "${text}": write something above 0`);
}

/** A parser knows the text, not the option that it stands for. */
function ofOption<T>(option: string, parse: () => T): T {
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
