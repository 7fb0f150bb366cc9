import { matchesPattern } from '../text/name-pattern.ts';

/** What a selector is matched against: a host's name, its labels and its facts. */
export interface Selectable {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** One condition; a selector is true when all of its conditions are. */
export type Condition =
  | { readonly key: string; readonly is: 'in' | 'notin'; readonly values: readonly string[] }
  | { readonly key: string; readonly is: 'exists' | 'absent' }
  /** The host's name matches a pattern in which `*` stands for any characters. */
  | { readonly is: 'named'; readonly pattern: string };

export type Selector = readonly Condition[];

/** The text of a selector cannot be read. The message names the part and what would be right. */
export class SelectorError extends RangeError {
  override readonly name = 'SelectorError';
}

const MAX_PART = 63;
const MAX_PREFIX = 253;
const PART = /^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?$/;
const PREFIX = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/;

/** @returns what is wrong with a label key, by the grammar of Kubernetes labels; undefined when it is right */
export function labelKeyProblem(key: string): string | undefined {
  const slash = key.indexOf('/');
  const [prefix, name] = slash < 0 ? [undefined, key] : [key.slice(0, slash), key.slice(slash + 1)];
  if (prefix !== undefined && (prefix.length > MAX_PREFIX || !PREFIX.test(prefix)))
    return `the prefix "${prefix}" must be a DNS name of at most ${MAX_PREFIX} lower-case characters`;
  if (name.length <= MAX_PART && PART.test(name)) return undefined;
  return `must be 1 to ${MAX_PART} letters, digits, "-", "_" or ".", with a letter or digit at both ends`;
}

/** @returns what is wrong with a label value; undefined when it is right. An empty value is allowed. */
export function labelValueProblem(value: string): string | undefined {
  if (value === '' || (value.length <= MAX_PART && PART.test(value))) return undefined;
  return `must be at most ${MAX_PART} letters, digits, "-", "_" or ".", with a letter or digit at both ends`;
}

/**
 * Reads a selector in the grammar of Kubernetes label selectors (`a=b`, `a==b`, `a!=b`, `a in (b,c)`,
 * `a notin (b,c)`, `a`, `!a`), and `name~pattern` for the host's name. Conditions are joined by commas.
 *
 * @returns no condition for the empty text, which matches every host
 * @throws SelectorError
 */
export function parseSelector(text: string): Selector {
  return splitConditions(text).map(parseCondition);
}

/** Splits at commas that are in no parentheses. */
function splitConditions(text: string): string[] {
  if (text.trim() === '') return [];
  const parts = text.split(/,(?![^(]*\))/);
  return parts.map((part) => {
    const trimmed = part.trim();
    if (trimmed === '') throw new SelectorError(`"${text}" has an empty condition: remove the extra comma`);
    return trimmed;
  });
}

function parseCondition(text: string): Condition {
  const named = /^name\s*~\s*(\S+)$/.exec(text);
  if (named) return { is: 'named', pattern: named[1]! };
  const set = /^(\S+)\s+(in|notin)\s*\(([^()]*)\)$/.exec(text);
  if (set) return valued(text, set[1]!, set[2] as 'in' | 'notin', set[3]!.split(','));
  const equal = /^([^=!\s]+)\s*(==?|!=)\s*([^=!\s]*)$/.exec(text);
  if (equal) return valued(text, equal[1]!, equal[2] === '!=' ? 'notin' : 'in', [equal[3]!]);
  const bare = /^(!?)\s*([^=!\s()~]+)$/.exec(text);
  if (bare) return { key: checkedKey(text, bare[2]!), is: bare[1] === '!' ? 'absent' : 'exists' };
  throw new SelectorError(
    `"${text}" is no condition: write key=value, key!=value, key in (a,b), key notin (a,b), key, !key or name~pattern`,
  );
}

function valued(text: string, key: string, is: 'in' | 'notin', given: readonly string[]): Condition {
  const values = given.map((value) => value.trim());
  for (const value of values) {
    const problem = labelValueProblem(value);
    if (problem !== undefined) throw new SelectorError(`the value "${value}" in "${text}" ${problem}`);
  }
  return { key: checkedKey(text, key), is, values };
}

function checkedKey(text: string, key: string): string {
  const problem = labelKeyProblem(key);
  if (problem !== undefined) throw new SelectorError(`the key "${key}" in "${text}": ${problem}`);
  return key;
}

/** As in Kubernetes, `!=` and `notin` are true for a host that has no such label. */
export const isSelected = (selector: Selector, host: Selectable): boolean =>
  selector.every((condition) => isTrue(condition, host));

function isTrue(condition: Condition, { name, labels }: Selectable): boolean {
  if (condition.is === 'named') return matchesPattern(condition.pattern, name);
  const value = Object.hasOwn(labels, condition.key) ? labels[condition.key] : undefined;
  switch (condition.is) {
    case 'exists':
      return value !== undefined;
    case 'absent':
      return value === undefined;
    case 'in':
      return value !== undefined && condition.values.includes(value);
    case 'notin':
      return value === undefined || !condition.values.includes(value);
  }
}
