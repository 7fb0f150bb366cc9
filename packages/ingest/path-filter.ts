import picomatch from 'picomatch';

/**
 * Makes a filter over relative paths from globs: `*` and `?` stay within one folder, `**` crosses folders, `{a,b}` is either; a
 * glob without a slash looks at the file's name in every folder (`/*.json` in the first one alone), one that ends in a slash takes
 * everything below.
 *
 * @param globs none means every path
 * @throws RangeError for a glob that is empty or has an open brace
 */
export function pathFilter(globs: readonly string[]): (path: string) => boolean {
  const patterns = globs.map(patternOf);
  return (path) => patterns.length === 0 || patterns.some((matches) => matches(path));
}

/** Which files of a folder or repository are wanted. */
export interface PathSelection {
  /** Globs; none takes every file. */
  readonly include: readonly string[];
  /** Globs of files that are left out, whatever `include` says. */
  readonly exclude?: readonly string[] | undefined;
}

/** @throws RangeError as pathFilter */
export function selection({ include, exclude = [] }: PathSelection): (path: string) => boolean {
  const isIncluded = pathFilter(include);
  const isExcluded = exclude.length === 0 ? (): boolean => false : pathFilter(exclude);
  return (path) => isIncluded(path) && !isExcluded(path);
}

/** @returns what to add to `no file` in a sentence; empty where every file is wanted */
export function selectionText({ include, exclude = [] }: PathSelection): string {
  const listed = (globs: readonly string[]): string => globs.map((glob) => `"${glob}"`).join(' or ');
  return (
    (include.length === 0 ? '' : ` that matches ${listed(include)}`) +
    (exclude.length === 0 ? '' : `${include.length === 0 ? ' that matches' : ' and'} not ${listed(exclude)}`)
  );
}

/** What other tools read as more than the characters themselves, which names of files hold. */
const LITERAL = /[()[\]+!|^$\\]/g;

function patternOf(glob: string): (path: string) => boolean {
  const relative = glob.replace(/^\.?\//, '');
  if (relative === '') throw new RangeError(`"${glob}" is no glob: write for example "onnx/*" or "*.json"`);
  if (!hasBalancedBraces(glob)) throw new RangeError(`"${glob}" has braces that do not match: write {a,b}`);
  const whole = relative.endsWith('/') ? `${relative}**` : relative;
  const anywhere = glob.includes('/') ? '' : '**/';
  return picomatch(anywhere + whole.replace(LITERAL, '\\$&'), { dot: true, strictSlashes: true });
}

function hasBalancedBraces(glob: string): boolean {
  let depth = 0;
  for (const character of glob) {
    if (character === '{') depth += 1;
    if (character === '}') depth -= 1;
    if (depth < 0) return false;
  }
  return depth === 0;
}
