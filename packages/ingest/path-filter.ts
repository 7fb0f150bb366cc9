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
  return (path) => patterns.length === 0 || patterns.some((pattern) => pattern.test(path));
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

function patternOf(glob: string): RegExp {
  const isRooted = glob.includes('/');
  const relative = glob.replace(/^\.?\//, '');
  if (relative === '') throw new RangeError(`"${glob}" is no glob: write for example "onnx/*" or "*.json"`);
  const anywhere = isRooted ? '' : '(?:.*/)?';
  const whole = relative.endsWith('/') ? `${relative}**` : relative;
  return new RegExp(`^${anywhere}${translate(whole, glob)}$`, 'u');
}

const TOKEN = /\*\*\/|\*\*|\*|\?|[{},]|[^*?{},]+/gu;

function translate(glob: string, typed: string): string {
  let depth = 0;
  const parts = (glob.match(TOKEN) ?? []).map((token) => {
    if (token === '{') depth += 1;
    if (token === '}') depth -= 1;
    if (depth < 0) throw unbalanced(typed);
    return expressionOf(token, depth);
  });
  if (depth !== 0) throw unbalanced(typed);
  return parts.join('');
}

function expressionOf(token: string, depth: number): string {
  switch (token) {
    case '**/':
      return '(?:.*/)?';
    case '**':
      return '.*';
    case '*':
      return '[^/]*';
    case '?':
      return '[^/]';
    case '{':
      return '(?:';
    case '}':
      return ')';
    case ',':
      return depth > 0 ? '|' : ',';
    default:
      return token.replace(/[.+^$()|[\]\\/-]/g, '\\$&');
  }
}

const unbalanced = (glob: string): RangeError => new RangeError(`"${glob}" has braces that do not match: write {a,b}`);
