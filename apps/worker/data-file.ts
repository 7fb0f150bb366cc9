import { readFileSync } from 'node:fs';
import type { z } from 'zod';
import { messageOf } from '#core/error-facts';
import { parseJson } from '#core/text/parse-json';

/**
 * Reads a JSON file that an operator wrote.
 *
 * @throws RangeError that names the file, and each field with its value and what would be right
 */
export function readDataFile<Schema extends z.ZodType>(path: string, schema: Schema): z.output<Schema> {
  const value = parseJson(textOf(path));
  if (value === undefined) throw new RangeError(`"${path}" is not JSON`);
  const { data, error } = schema.safeParse(value);
  if (error === undefined) return data;
  const problems = error.issues.map(({ path: names, message }) => `${shown(names, value)}: ${message}`);
  throw new RangeError(`in "${path}" ${problems.join('; ')}`);
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new RangeError(`"${path}" cannot be read: ${messageOf(cause)}`, { cause });
  }
}

const MAX_VALUE_CHARS = 60;

/** A field and what it is, as `gateways["gateway.example"].requestsPerMinute is -1`. */
function shown(names: readonly PropertyKey[], whole: unknown): string {
  const value = names.reduce<unknown>((at, name) => (at as Record<PropertyKey, unknown> | undefined)?.[name], whole);
  const field = names.map(String).reduce((path, name) => path + (/^\w+$/.test(name) ? `.${name}` : `["${name}"]`), '');
  const text = value === undefined ? 'missing' : JSON.stringify(value).slice(0, MAX_VALUE_CHARS);
  return `${field.replace(/^\./, '') || 'the whole'} is ${text}`;
}
