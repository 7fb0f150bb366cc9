import type { z } from 'zod';

export interface KnownParts<Value> {
  readonly parsed: z.ZodSafeParseResult<Value>;
  /** Where fields stood that the schema does not know, such as `file.license`. */
  readonly ignored: readonly string[];
}

/**
 * Reads a message of a program of another release: fields that this release does not know are left out, and every other deviation
 * is an error. A change that an older program must not ignore raises the message's `version`.
 */
export function parseKnown<Value>(schema: z.ZodType<Value>, value: unknown): KnownParts<Value> {
  const ignored: string[] = [];
  let known = value;
  for (;;) {
    const parsed = schema.safeParse(known);
    const unknown = parsed.error?.issues.filter((issue) => issue.code === 'unrecognized_keys') ?? [];
    if (unknown.length === 0) return { parsed, ignored };
    known = structuredClone(known);
    for (const { path, keys } of unknown) {
      const holder = path.reduce((at, key) => (at as Record<PropertyKey, unknown>)[key], known);
      for (const key of keys) delete (holder as Record<string, unknown>)[key];
      ignored.push(...keys.map((key) => [...path, key].map(String).join('.')));
    }
  }
}
