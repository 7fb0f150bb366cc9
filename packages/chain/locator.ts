import { extname } from 'node:path';
import { parseCid } from '#content/cid';
import type { FileSpec, SourceSpec } from '#core/file-spec';
import { redactUserInfo } from '#http/redaction';
import { parseFileUrl } from '#sources/local-file';
import { gatewayUrl } from './gateway-url.ts';
import { clipBytes } from './partial-path.ts';

/** What a person typed to name one file, before any request. */
export type Locator =
  /** The CID as it was typed; names below it, `/`-separated. */
  | { readonly kind: 'cid'; readonly cid: string; readonly path: string; readonly pasted?: PastedUrl | undefined }
  | { readonly kind: 'url'; readonly url: string }
  | { readonly kind: 'hub'; readonly source: Extract<SourceSpec, { kind: 'huggingface' }> };

/** The URL of a gateway that a CID was found in. */
export interface PastedUrl {
  readonly url: string;
  /** As `--gateway` takes it. */
  readonly gateway: string;
  /** The name that the URL gives the file. */
  readonly fileName: string | undefined;
}

const HUB = /^hf:(?:(datasets?|models?)\/)?([\w.-]+\/[\w.-]+)\/(.+?)(?:@([^@]+))?$/;

/**
 * Reads `<cid>`, `<cid>/<path>`, `ipfs://<cid>/<path>`, `http(s)://…`, `file:///…` or
 * `hf:[datasets/]<owner>/<repo>/<path>[@<revision>]`; a CID in any form (parseCid). The URL of a file on a gateway is its CID, which
 * proves it, with that gateway (gatewayUrl).
 *
 * @throws RangeError that shows the text and the accepted forms; VerifyError `unsupported` for a CID whose codec or hash nobody here reads
 */
export function parseLocator(text: string): Locator {
  if (text.startsWith('hf:')) return hubLocator(text);
  if (/^https?:\/\//i.test(text)) return urlLocator(parseUrl(text));
  if (isFileUrl(text)) return { kind: 'url', url: parseFileUrl(text).href };
  return cidLocator(text);
}

function cidLocator(text: string): Locator {
  try {
    const { original, path } = parseCid(text);
    return { kind: 'cid', cid: original, path: path.join('/') };
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    const forms = 'write a CID, CID/path, an http(s) or file:/// URL or hf:owner/repo/path@revision';
    throw new RangeError(`"${redactUserInfo(text)}" names no file: ${forms}`, { cause });
  }
}

function urlLocator(url: URL): Locator {
  const found = gatewayUrl(url);
  if (found === undefined) return { kind: 'url', url: url.href };
  const { cid, path, gateway, fileName } = found;
  return { kind: 'cid', cid, path, pasted: { url: url.href, gateway, fileName } };
}

/**
 * Reads an `http(s)` URL as a person types it: a percent sign that encodes nothing is one that was meant. `file:///path` is a file of
 * this machine.
 *
 * @throws RangeError that shows the text and what would be right
 */
export function parseUrl(text: string): URL {
  if (isFileUrl(text)) return parseFileUrl(text);
  const url = text.replace(/%(?![0-9a-f]{2})/gi, '%25');
  if (!/^https?:\/\//i.test(url) || !URL.canParse(url))
    throw new RangeError(`"${redactUserInfo(text)}" is no URL: write https://host/path`);
  return new URL(url);
}

const isFileUrl = (text: string): boolean => /^file:/i.test(text);

function hubLocator(text: string): Locator {
  const match = HUB.exec(text);
  if (!match) throw new RangeError(`"${text}" names no file of a hub: write hf:owner/repo/path@revision`);
  const repoType = match[1]?.startsWith('dataset') ? 'dataset' : 'model';
  return {
    kind: 'hub',
    source: { kind: 'huggingface', repo: match[2]!, repoType, revision: match[4] ?? 'main', path: match[3]! },
  };
}

/** The file's own name, for a target that nobody named: never a path, and never a folder. */
export function nameOf(locator: Locator): string {
  switch (locator.kind) {
    case 'cid':
      return lastName(locator.pasted?.fileName ?? '') ?? lastName(locator.path) ?? nameOfCid(locator.cid);
    case 'url':
      return lastName(decoded(new URL(locator.url).pathname)) ?? 'download';
    case 'hub':
      return lastName(locator.source.path) ?? 'download';
  }
}

/** As it was typed, unless that has slashes (base64) or is longer than a file name may be. */
const nameOfCid = (cid: string): string => (/^\w{1,200}$/.test(cid) ? cid : parseCid(cid).cid);

/** What terminals obey or hide instead of showing it. */
const UNSHOWABLE = /[\p{Cc}\p{Cs}\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;
/** As long as names may be on the file systems in use. */
const MAX_NAME_BYTES = 255;

/** What is encoded may hide slashes, so the name is cut out after it is decoded. Too long a name keeps its ending. */
function lastName(path: string): string | undefined {
  const name = path
    .split(/[/\\\0]/)
    .filter(Boolean)
    .at(-1)
    ?.replace(UNSHOWABLE, '_');
  if (name === undefined || name === '.' || name === '..') return undefined;
  const ending = Buffer.byteLength(extname(name)) <= 20 ? extname(name) : '';
  const stem = name.slice(0, name.length - ending.length);
  return clipBytes(stem, MAX_NAME_BYTES - Buffer.byteLength(ending)) + ending;
}

function decoded(pathname: string): string {
  try {
    return decodeURIComponent(pathname);
  } catch {
    return pathname; // a stray percent sign is part of the name
  }
}

/** The sources that the locator itself names; a CID's gateways are configuration. */
export function sourcesOf(locator: Locator): FileSpec['sources'] {
  if (locator.kind === 'url') return [{ kind: 'mirror', url: locator.url }];
  return locator.kind === 'hub' ? [locator.source] : [];
}
