import type { DigestAlgorithm, Digests } from '#core/file-spec';
import { digestFrom } from '#fetch/download-options';

/** One entry of an input file, unchecked. */
export interface ListedFile {
  /** Number of its line, from 1. */
  readonly line: number;
  /** The file, and other sources of the same bytes. */
  readonly from: string;
  readonly mirrors: readonly string[];
  /** Folder and name in the list; undefined where the list has none. */
  readonly folder: string | undefined;
  readonly name: string | undefined;
  readonly digests: Digests;
}

export interface InputList {
  readonly files: readonly ListedFile[];
  /** Options that only tune how aria2 fetches; they have no effect here. */
  readonly ignored: readonly string[];
}

const ALGORITHM_BY_CHARS: Readonly<Record<number, DigestAlgorithm>> = {
  32: 'md5',
  40: 'sha1',
  64: 'sha256',
  128: 'sha512',
};
const ALGORITHM_BY_TAG: Readonly<Record<string, DigestAlgorithm>> = {
  MD5: 'md5',
  SHA1: 'sha1',
  SHA256: 'sha256',
  SHA512: 'sha512',
};
const ALGORITHM_OF_ARIA2: Readonly<Record<string, DigestAlgorithm>> = {
  md5: 'md5',
  'sha-1': 'sha1',
  'sha-256': 'sha256',
  'sha-512': 'sha512',
};

/** `<digest>  <path>`, `<digest> *<path>`, with a backslash in front when the path has escapes (sha256sum of GNU coreutils). */
const GNU_LINE = /^(\\?)([0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64}|[0-9a-f]{128}) [ *](.+)$/i;
/** `SHA256 (<path>) = <digest>` (sha256sum --tag, and the BSDs). */
const TAG_LINE = /^(\\?)(MD5|SHA1|SHA256|SHA512) ?\((.+)\) = ([0-9a-f]+)$/;

/** Options of aria2 that only tune how it fetches. */
const HARMLESS = new Set(
  (
    'allow-overwrite allow-piece-length-change always-resume async-dns auto-file-renaming check-integrity conditional-get ' +
    'connect-timeout continue disable-ipv6 enable-http-keep-alive enable-http-pipelining enable-mmap file-allocation gid ' +
    'hash-check-only http-accept-gzip http-no-cache lowest-speed-limit max-connection-per-server max-download-limit ' +
    'max-file-not-found max-resume-failure-tries max-tries min-split-size no-file-allocation-limit no-netrc pause ' +
    'piece-length realtime-chunk-checksum remote-time reuse-uri retry-wait save-not-found split stream-piece-selector ' +
    'timeout uri-selector use-head'
  ).split(' '),
);

/**
 * Reads an input file: aria2's format (addresses of one file in one line, separated by tabs; indented `name=value` lines below it),
 * or lines of `sha256sum`, `sha512sum`, `sha1sum` and `md5sum`, whose paths are below `baseUrl`. Empty lines and lines that begin with
 * `#` are ignored.
 *
 * @param what names the list in errors
 * @throws RangeError that names the line, its text and what would be right
 */
export function parseInputList(what: string, text: string, baseUrl: string | undefined): InputList {
  const lines = text
    .replace(/^\ufeff/, '')
    .split('\n')
    .map((line, index) => ({ number: index + 1, text: line.replace(/\r$/, '') }))
    .filter((line) => line.text.trim() !== '' && !line.text.startsWith('#'));
  if (lines.length === 0) throw new RangeError(`${what} names no file`);
  const isDigestList = digestLine(lines[0]!.text) !== undefined;
  if (!isDigestList && baseUrl !== undefined)
    throw at(
      what,
      lines[0]!,
      'is no line of sha256sum, which --base-url needs: write DIGEST  PATH, or leave --base-url out',
    );
  if (!isDigestList) return aria2List(what, lines);
  if (baseUrl === undefined)
    throw at(what, lines[0]!, 'is a digest and a path: give --base-url URL, the address below which the paths are');
  return { files: lines.map((line) => digestEntry(what, line, baseUrl)), ignored: [] };
}

interface Line {
  readonly number: number;
  readonly text: string;
}

const at = (what: string, line: Line, problem: string): RangeError =>
  new RangeError(`${what}:${line.number}: ${JSON.stringify(line.text.trim().slice(0, 200))} ${problem}`);

function digestLine(text: string): { readonly path: string; readonly digests: Digests } | undefined {
  const gnu = GNU_LINE.exec(text);
  if (gnu)
    return {
      path: unescaped(gnu[1]!, gnu[3]!),
      digests: { [ALGORITHM_BY_CHARS[gnu[2]!.length]!]: gnu[2]!.toLowerCase() },
    };
  const tag = TAG_LINE.exec(text);
  if (!tag) return undefined;
  const algorithm = ALGORITHM_BY_TAG[tag[2]!]!;
  return { path: unescaped(tag[1]!, tag[3]!), digests: { [algorithm]: digestFrom('the digest', algorithm, tag[4]!) } };
}

const unescaped = (mark: string, path: string): string =>
  mark === ''
    ? path
    : path.replace(/\\([nr\\])/g, (_, letter: string) => (letter === 'n' ? '\n' : letter === 'r' ? '\r' : '\\'));

function digestEntry(what: string, line: Line, baseUrl: string): ListedFile {
  const found = digestLine(line.text);
  if (found === undefined) throw at(what, line, 'is no line of sha256sum like the first line: write DIGEST  PATH');
  const path = plainPath(found.path);
  return {
    line: line.number,
    from: below(baseUrl, path),
    mirrors: [],
    folder: undefined,
    name: path,
    digests: found.digests,
  };
}

/** Keeps a query of the base, such as a token. */
function below(baseUrl: string, path: string): string {
  const url = new URL(baseUrl);
  url.pathname = `${url.pathname.replace(/\/+$/, '')}/${path.split('/').map(encodeURIComponent).join('/')}`;
  return url.href;
}

/** Removes `.` segments and doubled slashes; refuseClashes checks the rest of the path. */
export const plainPath = (path: string): string =>
  (path.startsWith('/') ? '/' : '') +
  path
    .split('/')
    .filter((segment) => segment !== '' && segment !== '.')
    .join('/');

function aria2List(what: string, lines: readonly Line[]): InputList {
  const files: ListedFile[] = [];
  const ignored = new Set<string>();
  for (const line of lines) {
    if (/^\s/.test(line.text)) {
      const last = files.pop();
      if (last === undefined) throw at(what, line, 'is an option without an address above it: write the address first');
      files.push(withOption(what, line, last, ignored));
      continue;
    }
    const [from, ...mirrors] = line.text
      .split('\t')
      .map((address) => address.trim())
      .filter((address) => address !== '');
    files.push({ line: line.number, from: from!, mirrors, folder: undefined, name: undefined, digests: {} });
  }
  return { files, ignored: [...ignored] };
}

function withOption(what: string, line: Line, file: ListedFile, ignored: Set<string>): ListedFile {
  const [, name, value] = /^\s+([^=\s]+)=(.*)$/.exec(line.text) ?? [];
  if (name === undefined || value === undefined) throw at(what, line, 'is no option: write name=value');
  switch (name) {
    case 'out':
      return { ...file, name: value };
    case 'dir':
      return { ...file, folder: value };
    case 'checksum':
      return { ...file, digests: { ...file.digests, ...checksum(what, line, value) } };
    default:
      if (!HARMLESS.has(name)) throw at(what, line, `is an unknown option: known are out, dir and checksum`);
      ignored.add(name);
      return file;
  }
}

function checksum(what: string, line: Line, value: string): Digests {
  const [, name = '', hex = ''] = /^([^=]*)=(.*)$/.exec(value) ?? [];
  const algorithm = ALGORITHM_OF_ARIA2[name.toLowerCase()];
  if (algorithm === undefined)
    throw at(
      what,
      line,
      `has an unknown digest: write checksum=sha-256=DIGEST (or ${Object.keys(ALGORITHM_OF_ARIA2).join(', ')})`,
    );
  return { [algorithm]: digestFrom(`${what}:${line.number}: ${name}`, algorithm, hex.trim()) };
}
