import { extname } from 'node:path';
import { parseCid } from '#content/cid/cid';
import type { FileSpec, SourceSpec } from '#core/file-spec';
import { badHubPathReason, badRepoReason, badRevisionReason, type HubRepoType } from '#core/text/hub-name';
import { replaceUnshowable } from '#core/text/unshowable';
import { redactUserInfo } from '#http/redaction';
import { hubPage } from '#sources/hub/hub-page';
import { parseFileUrl } from '#sources/local-file';
import { gatewayUrl } from './gateway-url.ts';
import { clipBytes } from './target/partial-path.ts';

/** The parsed name of a file, or with `repo` of all files below a path of a repository; parsed without any request. */
export type Locator =
  /** The CID as it was typed; names below it, `/`-separated. */
  | { readonly kind: 'cid'; readonly cid: string; readonly path: string; readonly pasted?: PastedUrl | undefined }
  | { readonly kind: 'url'; readonly url: string }
  | { readonly kind: 'hub'; readonly source: HubSource }
  /** The path is that of a folder, without slashes around it; empty for the whole repository. */
  | { readonly kind: 'repo'; readonly source: HubSource };

type HubSource = Extract<SourceSpec, { kind: 'huggingface' }>;

/** A locator that names one file, or for a CID what may be one. */
export type FileLocator = Exclude<Locator, { kind: 'repo' }>;

/** The URL of a gateway that a CID was found in. */
export interface PastedUrl {
  readonly url: string;
  /** As `--gateway` takes it. */
  readonly gateway: string;
  /** The name that the URL gives the file. */
  readonly fileName: string | undefined;
}

const HUB = /^hf:(?:\/\/)?(?:(dataset|model|space)s?\/(?=[^/@]+\/[^/@]+))?([^/@]+\/[^/@]+)(?:\/([^]*?))?(?:@([^@]*))?$/;

/**
 * Reads `<cid>`, `<cid>/<path>`, `ipfs://<cid>/<path>`, `http(s)://…`, `file:///…` or
 * `hf:[datasets/|spaces/]<owner>/<repo>[/<path>][@<revision>]`; a CID in any form (parseCid). Without a path, and with one that ends in a
 * slash, `hf:` names a whole repository or folder. The last `@` begins the revision; a path that holds one is followed by an `@`, after
 * which nothing means `main`. The URL of a file on a gateway is its CID, which proves it, with that gateway (gatewayUrl); a URL of
 * the configured hub is what `hf:` names (hubPage).
 *
 * @param hfEndpoint the configured hub; without it no URL is one of a hub
 * @throws RangeError that shows the text and the accepted forms; VerifyError `unsupported` for a CID whose codec or hash is not supported
 */
export function parseLocator(text: string, hfEndpoint?: string): Locator {
  if (text.startsWith('hf:')) return hubLocator(text);
  if (/^https?:\/\//i.test(text)) return urlLocator(parseUrl(text), hfEndpoint);
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

/**
 * Reads a locator that must name one file.
 *
 * @throws RangeError also for a whole repository
 */
export function parseFileLocator(text: string, hfEndpoint?: string): FileLocator {
  const locator = parseLocator(text, hfEndpoint);
  if (locator.kind !== 'repo') return locator;
  throw new RangeError(`"${text}" names a whole repository or folder, not a file: write hf:owner/repo/path@revision`);
}

function urlLocator(url: URL, hfEndpoint: string | undefined): Locator {
  const page = hfEndpoint === undefined ? undefined : hubPage(url, hfEndpoint);
  if (page !== undefined) {
    const { isFolder, ...place } = page;
    return { kind: isFolder ? 'repo' : 'hub', source: { kind: 'huggingface', ...place } };
  }
  const found = gatewayUrl(url);
  if (found === undefined) return { kind: 'url', url: url.href };
  const { cid, path, gateway, fileName } = found;
  return { kind: 'cid', cid, path, pasted: { url: url.href, gateway, fileName } };
}

/**
 * Reads an `http(s)` URL as a person types it: a percent sign that encodes nothing stands for itself. `file:///path` is a file of
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
  if (!match) throw noHubFile(text);
  const [, type = 'model', repo = '', typedPath = '', typedRevision = 'main'] = match;
  // An `@` with nothing behind it ends a path that holds an `@` itself; behind a repository it is a typing error.
  const revision = typedRevision === '' && typedPath !== '' ? 'main' : typedRevision;
  const isFolder = typedPath === '' || typedPath.endsWith('/');
  const path = isFolder ? typedPath.slice(0, -1) : typedPath;
  refusePart(text, 'the repository', badRepoReason(repo));
  refusePart(text, 'the revision', badRevisionReason(revision));
  refusePart(text, 'the path', path === '' ? undefined : badHubPathReason(path));
  const source = { kind: 'huggingface', repo, repoType: type as HubRepoType, revision, path } as const;
  return { kind: isFolder ? 'repo' : 'hub', source };
}

function refusePart(text: string, what: string, reason: string | undefined): void {
  if (reason !== undefined) throw noHubFile(text, `${what} ${reason}; `);
}

const noHubFile = (text: string, why = ''): RangeError =>
  new RangeError(
    `${JSON.stringify(text)} names no file of a hub: ${why}write hf:owner/repo/path@revision, or hf:owner/repo@revision for all of its files`,
  );

/** The file's own name, for a command that names no target: never a path, and never a folder. */
export function nameOf(locator: FileLocator): string {
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

/** As long as names may be on the file systems in use. */
const MAX_NAME_BYTES = 255;

/**
 * The last name of an untrusted path, in a form that a local file may have; undefined when there is none. The path must be decoded,
 * because encoded slashes would stay in the name. A name that is too long keeps its ending.
 */
export function lastName(path: string): string | undefined {
  const last = path
    .split(/[/\\\0]/)
    .filter(Boolean)
    .at(-1);
  const name = last && replaceUnshowable(last, '_');
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
export function sourcesOf(locator: FileLocator): FileSpec['sources'] {
  if (locator.kind === 'url') return [{ kind: 'mirror', url: locator.url }];
  return locator.kind === 'hub' ? [locator.source] : [];
}
