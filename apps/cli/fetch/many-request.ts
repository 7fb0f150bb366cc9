import { readFileSync } from 'node:fs';
import { isAbsolute, join, relative, resolve, sep } from 'node:path';
import { PUBLIC_HUB, type DownloadOptions } from '#fetch/download';
import { LOCAL_PATH_RULES } from '#fetch/list-files';
import { nameOf, parseFileLocator, parseUrl, type FileLocator, type Locator } from '#fetch/locator';
import { selection } from '#ingest/path-filter';
import { messageOf } from '#core/error-facts';
import { DIGEST_ALGORITHMS } from '#core/file-spec';
import { foldedPath, unsafePathReason } from '#core/text/safe-path';
import { MIB } from '#core/units';
import { httpUrl } from '../network.ts';
import {
  commonOf,
  ofOption,
  refuseUnprovided,
  wholeNumber,
  type CommonOptions,
  type FetchOptions,
} from './fetch-request.ts';
import { parseInputList, plainPath, type ListedFile } from './input-list.ts';

/** One file of many: where it shall be below the folder, and how it is fetched. */
export interface WantedFile {
  readonly path: string;
  /** Who is asked first, so that the files of one origin do not hold up those of another. */
  readonly origin: string;
  /** For progress alone. */
  readonly claimedBytes: number | undefined;
  readonly options: Pick<DownloadOptions, 'from' | 'mirrors' | 'gateways' | 'sizeBytes' | 'digests'>;
}

/** Several files in one command, checked without any request. */
export interface ManyRequest {
  readonly common: CommonOptions;
  /** Where the files shall be. */
  readonly folder: string;
  readonly parallel: number;
  readonly isWanted: (path: string) => boolean;
}

const USUAL_PARALLEL = 8;
const MOST_PARALLEL = 64;
const MAX_LIST_BYTES = 64 * MIB;

/**
 * What was typed for a repository, a folder or a list.
 *
 * @param name of the folder, where `-o` gives none
 * @throws RangeError that names the option, its value and what would be right
 */
export function manyRequestOf(name: string, options: FetchOptions, env: NodeJS.ProcessEnv): ManyRequest {
  for (const option of ['size', ...DIGEST_ALGORITHMS, 'mirror'] as const)
    if (options[option] !== undefined)
      throw new RangeError(`--${option} is of one file, and several are asked for: leave it out`);
  if (options.output === '' || options.output === '-')
    throw new RangeError(`--output is "${options.output}": write the folder that the files shall be in`);
  const parallel = wholeNumber('--parallel', options.parallel, 1) ?? USUAL_PARALLEL;
  if (parallel > MOST_PARALLEL)
    throw new RangeError(`--parallel is "${options.parallel}": write a whole number from 1 to ${MOST_PARALLEL}`);
  const { include = [], exclude = [] } = options;
  return {
    common: commonOf(options, env),
    folder: options.output ?? name,
    parallel,
    isWanted: selection({ include, exclude }),
  };
}

/** @throws RangeError when it cannot be read, or is longer than any list */
export async function readInputFile(path: string, stdin: AsyncIterable<Uint8Array>): Promise<string> {
  if (path !== '-') {
    try {
      return readFileSync(path, 'utf8');
    } catch (cause) {
      throw new RangeError(`--input-file is "${path}", which cannot be read: ${messageOf(cause)}`, { cause });
    }
  }
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of stdin) {
    chunks.push(chunk);
    bytes += chunk.byteLength;
    if (bytes > MAX_LIST_BYTES)
      throw new RangeError(`standard input is longer than ${MAX_LIST_BYTES} bytes: this is no list of files`);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/**
 * The files of an input file.
 *
 * @param what names the list in errors
 * @returns them, and the options of aria2 in it that mean nothing here
 * @throws RangeError that names the line, what stands there and what would be right
 */
export function filesOfList(
  what: string,
  text: string,
  options: FetchOptions,
  request: ManyRequest,
): { readonly files: WantedFile[]; readonly ignored: readonly string[] } {
  const { baseUrl } = options;
  const list = parseInputList(
    what,
    text,
    baseUrl === undefined ? undefined : ofOption('--base-url', () => httpUrl(baseUrl)),
  );
  const files = list.files
    .map((file) => ofOption(`${what}:${file.line}`, () => wantedOf(file, request)))
    .filter(({ path }) => request.isWanted(path));
  if (files.length === 0) throw new RangeError(`${what} has ${list.files.length} files and none that is asked for`);
  return { files, ignored: list.ignored };
}

function wantedOf(file: ListedFile, { common, folder }: ManyRequest): WantedFile {
  const locator = parseFileLocator(file.from, common.hfEndpoint ?? PUBLIC_HUB);
  const mirrors = file.mirrors.map((url) => parseUrl(url).href);
  if (locator.kind === 'cid') refuseUnprovided(locator, common.gateways, mirrors, file.digests);
  const path = [folderBelow(folder, file.folder ?? ''), plainPath(file.name ?? nameOf(locator))]
    .filter(Boolean)
    .join('/');
  return {
    ...{ path, origin: originOf(locator, common), claimedBytes: undefined },
    options: { from: file.from, mirrors, digests: file.digests },
  };
}

/** A `dir=` of an aria2 list, relative to the folder of the fetch; an absolute one must be in there. */
function folderBelow(folder: string, typed: string): string {
  if (!isAbsolute(typed)) return plainPath(typed);
  const below = relative(resolve(folder), typed).split(sep).join('/');
  if (below.startsWith('../') || below === '..' || isAbsolute(below))
    throw new RangeError(`dir=${typed} is not below ${resolve(folder)}: give that folder with -o`);
  return below;
}

export function originOf(
  locator: FileLocator,
  { hfEndpoint, gateways }: Pick<CommonOptions, 'hfEndpoint' | 'gateways'>,
): string {
  if (locator.kind === 'url') return new URL(locator.url).host;
  return locator.kind === 'hub' ? (hfEndpoint ?? PUBLIC_HUB) : (locator.pasted?.gateway ?? gateways[0] ?? '');
}

/** The folder that a repository or CID gets where `-o` gives none. */
export const folderNameOf = (locator: Extract<Locator, { kind: 'repo' | 'cid' }>): string =>
  locator.kind === 'cid' ? nameOf(locator) : (locator.source.path || locator.source.repo).split('/').at(-1)!;

/**
 * Holds the paths of many files against each other and against the rules of this machine.
 *
 * @throws RangeError that names both files when two have one path, or one would have to be a folder of another
 */
export function refuseClashes(files: readonly WantedFile[]): void {
  // Windows and macOS fold case and Unicode.
  const keyOf = process.platform === 'linux' ? (path: string): string => path : foldedPath;
  const taken = new Map<string, WantedFile>();
  for (const file of files) {
    const reason = unsafePathReason(file.path, LOCAL_PATH_RULES);
    if (reason !== undefined)
      throw new RangeError(`the path ${JSON.stringify(file.path)} of ${file.options.from} ${reason}`);
    const other = taken.get(keyOf(file.path));
    if (other !== undefined)
      throw new RangeError(
        `${file.options.from} and ${other.options.from} have one path, ${JSON.stringify(file.path)}: give one another name`,
      );
    taken.set(keyOf(file.path), file);
  }
  for (const file of files) refuseFolderClash(file, (folder) => taken.get(keyOf(folder)));
}

function refuseFolderClash(file: WantedFile, fileAt: (path: string) => WantedFile | undefined): void {
  const names = file.path.split('/');
  for (let count = 1; count < names.length; count += 1) {
    const other = fileAt(names.slice(0, count).join('/'));
    if (other !== undefined)
      throw new RangeError(
        `${JSON.stringify(other.path)} is a file and a folder with ${JSON.stringify(file.path)} in it: give one another name`,
      );
  }
}

/** @returns where a file of the fetch shall be */
export const targetOf = ({ folder }: ManyRequest, { path }: WantedFile): string => join(folder, ...path.split('/'));
