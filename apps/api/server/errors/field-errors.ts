import type { FieldError } from '#contracts/http/problem';

/** What both zod and fastify-type-provider-zod know of a mistake. */
export interface Mistake {
  readonly code: string;
  readonly path: readonly PropertyKey[];
  readonly message: string;
  readonly keys?: readonly string[] | undefined;
}

/** The part of the request a mistake is in; decides how its place is written. */
export type RequestPart = 'body' | 'querystring' | 'params' | 'headers';

const MAX_VALUE_CHARACTERS = 120;

/**
 * @param mistakes of one part of the request
 * @param sent that part as it came
 * @returns one entry per bad field, in the words of a problem document
 */
export function fieldErrors(mistakes: readonly Mistake[], part: RequestPart, sent: unknown): FieldError[] {
  return mistakes.flatMap((mistake) =>
    mistake.code === 'unrecognized_keys'
      ? (mistake.keys ?? []).map((key) => unknownField([...mistake.path, key], part))
      : [badField(mistake, part, sent)],
  );
}

const unknownField = (path: readonly PropertyKey[], part: RequestPart): FieldError => ({
  pointer: pointerTo(path, part),
  detail: 'is not a field here; leave it out, or check its spelling',
});

function badField(mistake: Mistake, part: RequestPart, sent: unknown): FieldError {
  const value = valueAt(sent, mistake.path);
  const pointer = pointerTo(mistake.path, part);
  if (value === undefined && mistake.code === 'invalid_type' && mistake.path.length > 0)
    return { pointer, detail: `is required: ${mistake.message.replace(/^Invalid input: /, '')}` };
  return { pointer, detail: mistake.message, ...(value === undefined ? {} : { value: shortened(value) }) };
}

export function pointerTo(path: readonly PropertyKey[], part: RequestPart): string {
  if (part === 'querystring') return `?${path.map(String).join('.')}`;
  if (part === 'params') return `:${path.map(String).join('.')}`;
  return path.map((key) => `/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

function valueAt(sent: unknown, path: readonly PropertyKey[]): unknown {
  let value = sent;
  for (const key of path) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = Object.hasOwn(value, key) ? (value as Record<PropertyKey, unknown>)[key] : undefined;
  }
  return value;
}

/** A sent value that is safe to give back: short, and without what may be a credential of a URL. */
function shortened(value: unknown): unknown {
  if (value === null || typeof value === 'number' || typeof value === 'boolean') return value;
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  const clean = text.replace(/\/\/[^/\s@"]*@/g, '//…@').replace(/(https?:\/\/[^\s"?#]*)[?#][^\s"]*/g, '$1?…');
  return clean.length > MAX_VALUE_CHARACTERS ? `${clean.slice(0, MAX_VALUE_CHARACTERS)}…` : clean;
}
