import { readFileSync } from 'node:fs';
import { isAbsolute, join, relative, resolve, sep } from 'node:path';
import type { DownloadOptions } from '#fetch/download';
import { LOCAL_PATH_RULES } from '#fetch/list-files';
import { nameOf, parseFileLocator, parseUrl, type FileLocator, type Locator } from '#fetch/locator';
import { selection } from '#ingest/path-filter';
import { messageOf } from '#core/error-facts';
import { DIGEST_ALGORITHMS } from '#core/file-spec';
import { foldedPath, unsafePathReason } from '#core/text/safe-path';
import { httpUrl, wholeNumber } from '#core/settings/setting-kinds';
import { MIB } from '#core/units';
import { ofOption, optionOf } from '../typed.ts';
import { commonOf, refuseUnprovided, type CommonOptions, type FetchOptions } from './fetch-request.ts';
import { parseInputList, plainPath, type ListedFile } from './input-list.ts';

/** One file of many: its path below the folder, and the options of its fetch. */
export interface WantedFile {
  readonly path: string;
  /** The source that is asked first; downloadMany balances by it. */
  readonly origin: string;
  /** Unproven length; for progress alone. */
  readonly listedBytes: number | undefined;
  readonly options: Pick<DownloadOptions, 'from' | 'mirrors' | 'gateways' | 'sizeBytes' | 'digests'>;
}

/** Several files in one command, checked without any request. */
export interface ManyRequest {
  readonly common: CommonOptions;
  /** Folder of the finished files. */
  readonly folder: string;
  readonly parallel: number;
  readonly isWanted: (path: string) => boolean;
}

const USUAL_PARALLEL = 8;
const PARALLEL = wholeNumber(1, 64);
const MAX_LIST_BYTES = 64 * MIB;

/**
 * The options of the command line for a repository, a folder or a list.
 *
 * @param name of the folder, without `-o`
 * @throws RangeError that names the option, its value and what would be right
 */
export function manyRequestOf(name: string, options: FetchOptions, env: NodeJS.ProcessEnv): ManyRequest {
  for (const option of ['size', ...DIGEST_ALGORITHMS, 'mirror'] as const)
    if (options[option] !== undefined)
      throw new RangeError(`--${option} is for one file, and this command fetches several: leave it out`);
  if (options.output === '' || options.output === '-')
    throw new RangeError(`--output is "${options.output}": write the folder for the files`);
  const { parallel } = options;
  const { include = [], exclude = [] } = options;
  return {
    common: commonOf(options, env),
    folder: options.output ?? name,
    parallel: parallel === undefined ? USUAL_PARALLEL : optionOf('--parallel', PARALLEL, parallel),
    isWanted: selection({ include, exclude }),
  };
}

/** @throws RangeError when the file cannot be read, or standard input is longer than MAX_LIST_BYTES */
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
      throw new RangeError(`standard input is longer than ${MAX_LIST_BYTES} bytes: give a list of files`);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/**
 * The files of an input file.
 *
 * @param what names the list in errors
 * @returns them, and the options of aria2 in it that have no effect
 * @throws RangeError that names the line, its text and what would be right
 */
export function filesOfList(
  what: string,
  text: string,
  options: FetchOptions,
  request: ManyRequest,
): { readonly files: WantedFile[]; readonly ignored: readonly string[] } {
  const { baseUrl } = options;
  const list = parseInputList(what, text, baseUrl === undefined ? undefined : optionOf('--base-url', httpUrl, baseUrl));
  const files = list.files
    .map((file) => ofOption(`${what}:${file.line}`, () => wantedOf(file, request)))
    .filter(({ path }) => request.isWanted(path));
  if (files.length === 0)
    throw new RangeError(`${what} has ${list.files.length} files, and --include and --exclude leave none of them`);
  return { files, ignored: list.ignored };
}

function wantedOf(file: ListedFile, { common, folder }: ManyRequest): WantedFile {
  const locator = parseFileLocator(file.from, common.hfEndpoint);
  const mirrors = file.mirrors.map((url) => parseUrl(url).href);
  if (locator.kind === 'cid') refuseUnprovided(locator, common.gateways, mirrors, file.digests);
  const path = [folderBelow(folder, file.folder ?? ''), plainPath(file.name ?? nameOf(locator))]
    .filter(Boolean)
    .join('/');
  return {
    ...{ path, origin: originOf(locator, common), listedBytes: undefined },
    options: { from: file.from, mirrors, digests: file.digests },
  };
}

/** A `dir=` of an aria2 list, relative to the folder of the fetch; an absolute one must be below that folder. */
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
  return locator.kind === 'hub' ? hfEndpoint : (locator.pasted?.gateway ?? gateways[0] ?? '');
}

/** Name of the folder of a repository or CID, without `-o`. */
export const folderNameOf = (locator: Extract<Locator, { kind: 'repo' | 'cid' }>): string =>
  locator.kind === 'cid' ? nameOf(locator) : (locator.source.path || locator.source.repo).split('/').at(-1)!;

/**
 * Checks the paths of many files against each other and against the rules of this machine.
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
        `${file.options.from} and ${other.options.from} have the same path, ${JSON.stringify(file.path)}: rename one`,
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
        `${JSON.stringify(other.path)} is a file, and ${JSON.stringify(file.path)} needs a folder of that name: rename one`,
      );
  }
}

/** @returns the path on disk of a file of the fetch */
export const pathOnDisk = ({ folder }: ManyRequest, { path }: WantedFile): string => join(folder, ...path.split('/'));
