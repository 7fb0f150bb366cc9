import type { SourceError } from '#core/failure';
import { DIGEST_ALGORITHMS, type DigestAlgorithm, type Digests, type Strategy } from '#core/file-spec';
import type { Logger } from '#core/logger';
import { nearestOf } from '#core/text/nearest';
import type { ProxySettings } from '#http/connection/proxy';
import { redactUserInfo } from '#http/redaction';
import type { Progress, TryRecord } from '#transfer/report/transfer-options';
import type { DownloadSession } from './download-session.ts';
import type { NodesProgress } from './obtain.ts';

export interface DownloadOptions {
  /**
   * `<cid>`, `<cid>/<path>`, `ipfs://…`, `http(s)://…`, `file:///…` or `hf:[datasets/|spaces/]owner/repo/path[@revision]`. A file of a hub is
   * proven by the digest that the hub has of it, unless `digests` gives one. A URL of an IPFS gateway
   * (`https://<gateway>/ipfs/<cid>`, `https://<cid>.ipfs.<host>`) means that CID, and the gateway is asked first.
   */
  readonly from: string;
  /** Path of the finished file; missing folders are made. The partial and its journal grow beside it. */
  readonly to: string;
  /**
   * Name the file beside `to` as its server names it (Content-Disposition), unless another file has that name already; default
   * false.
   */
  readonly nameByServer?: boolean | undefined;
  /** More URLs of the same bytes, also `file:///path`; their bytes are proven like those of every other source. */
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
  /** Follow redirects from https to http, where a digest or a CID proves the bytes. */
  readonly allowDowngrade?: boolean | undefined;
  /** Certificate authorities in PEM, instead of Node's own. */
  readonly ca?: string | readonly string[] | undefined;
  /** Refuse bytes that nothing proves. */
  readonly strict?: boolean | undefined;
  readonly proxy?: ProxySettings | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  /** Called after each request for bytes of the file, and after each run of block requests. */
  readonly onTry?: ((record: TryRecord) => void) | undefined;
  /** Called for each block of the DAG that a source did not give, before the first request for bytes. */
  readonly onBlockFailure?: ((error: SourceError) => void) | undefined;
  /** Called with the number of DAG nodes that are here, and of those that are known so far. */
  readonly onNodes?: ((nodes: NodesProgress) => void) | undefined;
  /** Called once when another program is fetching to the same target; this call continues when that program has ended. */
  readonly onWaiting?: ((holder: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly logger?: Logger | undefined;
  /** What several downloads share; default: a session of its own. Options of the session override those of this download. */
  readonly session?: DownloadSession | undefined;
}

interface Rule {
  readonly accepts: (value: unknown) => boolean;
  /** Completes `write …`. */
  readonly right: string;
  readonly isRequired?: true;
  readonly isSecret?: true;
}

const isText = (value: unknown): value is string => typeof value === 'string' && value !== '';
const isListOfTexts = (value: unknown): boolean => Array.isArray(value) && value.every(isText);
const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null;

const flag: Rule = { accepts: (value) => typeof value === 'boolean', right: 'true or false' };
const callback: Rule = { accepts: (value) => typeof value === 'function', right: 'a function' };
const object = (right: string): Rule => ({ accepts: isObject, right });
const urls: Rule = { accepts: isListOfTexts, right: 'a list of URLs' };
const wholeNumber = (least: number): Rule => ({
  accepts: (value) => Number.isSafeInteger(value) && (value as number) >= least,
  right: `a whole number of at least ${least}`,
});
const aboveZero: Rule = {
  accepts: (value) => Number.isFinite(value) && (value as number) > 0,
  right: 'a number above 0',
};

/** Every option; the compiler holds it against DownloadOptions. */
const RULES: Readonly<Record<keyof DownloadOptions, Rule>> = {
  from: { accepts: isText, right: 'a CID, a URL or hf:owner/repo/path@revision', isRequired: true },
  to: { accepts: isText, right: 'the path of the finished file', isRequired: true },
  nameByServer: flag,
  mirrors: urls,
  gateways: urls,
  hfEndpoint: { accepts: isText, right: 'a URL' },
  hfToken: { accepts: isText, right: 'a text', isSecret: true },
  sizeBytes: wholeNumber(0),
  digests: object('an object such as { sha256: "…" }'),
  connections: wholeNumber(1),
  limitBytesPerSecond: aboveZero,
  stallTimeoutMs: aboveZero,
  strategy: { accepts: (value) => value === 'ordered' || value === 'parallel', right: '"ordered" or "parallel"' },
  allowPrivate: flag,
  allowAddresses: { accepts: isListOfTexts, right: 'a list such as ["10.0.0.0/8", "gateway.lan"]' },
  allowDowngrade: flag,
  ca: { accepts: (value) => isText(value) || isListOfTexts(value), right: 'certificates in PEM', isSecret: true },
  strict: flag,
  proxy: object('an object such as { https: "http://host:port" }'),
  onProgress: callback,
  onTry: callback,
  onBlockFailure: callback,
  onNodes: callback,
  onWaiting: callback,
  signal: { accepts: (value) => value instanceof AbortSignal, right: 'an AbortSignal' },
  logger: object('an object with debug, info, warn and error'),
  session: object('what openSession returned'),
};

/**
 * Refuses options that would have no effect or another one than was meant: callers without a type checker get no other warning.
 *
 * @throws RangeError that names the option, its value unless it is a secret, and what would be right
 */
export function checkOptions(options: DownloadOptions): void {
  for (const name of Object.keys(options)) if (!Object.hasOwn(RULES, name)) throw unknownOption(name);
  for (const [name, rule] of Object.entries(RULES)) checkValue(name, options[name as keyof DownloadOptions], rule);
  for (const [name, value] of Object.entries(options.digests ?? {})) checkDigest(name, value);
}

function unknownOption(name: string): RangeError {
  if ((DIGEST_ALGORITHMS as readonly string[]).includes(name))
    return new RangeError(`"${name}" is no option of download: write digests: { ${name}: "…" }`);
  const near = nearestOf(name, Object.keys(RULES));
  const hint = near === undefined ? `known are ${Object.keys(RULES).join(', ')}` : `did you mean ${near}?`;
  return new RangeError(`"${name}" is no option of download: ${hint}`);
}

function checkValue(name: string, value: unknown, { accepts, right, isRequired, isSecret }: Rule): void {
  if (value === undefined && isRequired) throw new RangeError(`the option ${name} is missing: write ${right}`);
  if (value === undefined || accepts(value)) return;
  const shown = isSecret ? 'not usable (its value is not shown)' : shownValue(value);
  throw new RangeError(`the option ${name} is ${shown}: write ${right}`);
}

const MOST_SHOWN_CHARS = 200;

function shownValue(value: unknown): string {
  if (typeof value === 'function') return 'a function';
  if (typeof value === 'number') return String(value);
  return redactUserInfo(JSON.stringify(value) ?? String(value)).slice(0, MOST_SHOWN_CHARS);
}

/** Hexadecimal digits of each digest. */
const DIGEST_CHARS: Readonly<Record<DigestAlgorithm, number>> = { sha256: 64, sha512: 128, sha1: 40, md5: 32, git: 40 };

function checkDigest(name: string, value: unknown): void {
  if (!Object.hasOwn(DIGEST_CHARS, name)) {
    const near = nearestOf(name, DIGEST_ALGORITHMS);
    const hint = near === undefined ? `write one of ${DIGEST_ALGORITHMS.join(', ')}` : `did you mean ${near}?`;
    throw new RangeError(`"${name}" is no digest of the option digests: ${hint}`);
  }
  if (value === undefined) return;
  if (typeof value === 'string') return void digestFrom(`digests.${name}`, name as DigestAlgorithm, value);
  throw new RangeError(`digests.${name} is ${shownValue(value)}: write hexadecimal digits`);
}

/**
 * Reads a digest as a person gives it.
 *
 * @param where the option or line that holds the text
 * @returns it in lower case
 * @throws RangeError that shows where it stood, the text and what would be right
 */
export function digestFrom(where: string, algorithm: DigestAlgorithm, text: string): string {
  const chars = DIGEST_CHARS[algorithm];
  if (text.length === chars && /^[0-9a-f]+$/i.test(text)) return text.toLowerCase();
  throw new RangeError(`${where} is "${text}": write ${chars} hexadecimal digits`);
}
