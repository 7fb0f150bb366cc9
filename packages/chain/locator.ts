import { parseCid } from '#content/cid';
import type { FileSpec, SourceSpec } from '#core/file-spec';

/** What a person typed to name one file, before any request. */
export type Locator =
  /** The CID as it was typed; names below it, `/`-separated. */
  | { readonly kind: 'cid'; readonly cid: string; readonly path: string }
  | { readonly kind: 'url'; readonly url: string }
  | { readonly kind: 'hub'; readonly source: Extract<SourceSpec, { kind: 'huggingface' }> };

const HUB = /^hf:(?:(datasets?|models?)\/)?([\w.-]+\/[\w.-]+)\/(.+?)(?:@([^@]+))?$/;

/**
 * Reads `<cid>`, `<cid>/<path>`, `ipfs://<cid>/<path>`, `http(s)://…` or `hf:[datasets/]<owner>/<repo>/<path>[@<revision>]`; a CID in
 * any form (parseCid).
 *
 * @throws RangeError that shows the text and the accepted forms; VerifyError `unsupported` for a CID whose codec or hash nobody here reads
 */
export function parseLocator(text: string): Locator {
  if (text.startsWith('hf:')) return hubLocator(text);
  if (/^https?:\/\//i.test(text)) return { kind: 'url', url: urlOf(text) };
  return cidLocator(text);
}

function cidLocator(text: string): Locator {
  try {
    const { original, path } = parseCid(text);
    return { kind: 'cid', cid: original, path: path.join('/') };
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    const forms = 'write a CID, CID/path, an http(s) URL or hf:owner/repo/path@revision';
    throw new RangeError(`"${text}" names no file: ${forms}`, { cause });
  }
}

function urlOf(text: string): string {
  if (!URL.canParse(text)) throw new RangeError(`"${text}" is no URL: write https://host/path`);
  return new URL(text).href;
}

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
      return lastName(locator.path) ?? nameOfCid(locator.cid);
    case 'url':
      return lastName(decoded(new URL(locator.url).pathname)) ?? 'download';
    case 'hub':
      return lastName(locator.source.path) ?? 'download';
  }
}

/** As it was typed, unless that has slashes (base64) or is longer than a file name may be. */
const nameOfCid = (cid: string): string => (/^\w{1,200}$/.test(cid) ? cid : parseCid(cid).cid);

/** What is encoded may hide slashes, so the name is cut out after it is decoded. */
function lastName(path: string): string | undefined {
  const name = path
    .split(/[/\\\0]/)
    .filter(Boolean)
    .at(-1);
  return name === '.' || name === '..' ? undefined : name;
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
