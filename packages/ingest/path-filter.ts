import picomatch from 'picomatch';

/**
 * Makes a filter over relative paths from globs: `*` and `?` stay within one folder, `**` crosses folders, `{a,b}` matches `a` or
 * `b`. A glob without a slash matches the file's name in every folder (`/*.json` only in the first one); a glob that ends in a slash
 * matches everything below.
 *
 * @param globs an empty list matches every path
 * @throws RangeError for a glob that is empty or has an open brace
 */
export function pathFilter(globs: readonly string[]): (path: string) => boolean {
  const patterns = globs.map(patternOf);
  return (path) => patterns.length === 0 || patterns.some((matches) => matches(path));
}

/** Selects files of a folder or repository. */
export interface PathSelection {
  /** Globs; an empty list takes every file. */
  readonly include: readonly string[];
  /** Globs of files that are left out, also when `include` matches them. */
  readonly exclude?: readonly string[] | undefined;
}

/** @throws RangeError as pathFilter */
export function selection({ include, exclude = [] }: PathSelection): (path: string) => boolean {
  const isIncluded = pathFilter(include);
  const isExcluded = exclude.length === 0 ? (): boolean => false : pathFilter(exclude);
  return (path) => isIncluded(path) && !isExcluded(path);
}

/** @returns the words after `no file` in a sentence; empty when every file is wanted */
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
