import type { FastifyInstance } from 'fastify';
import { RequestError } from '../errors/request-error.ts';
import { pointerTo, type Mistake, type RequestPart } from '../errors/field-errors.ts';

/** Requests of the API have seven levels; a recursive walk overflows the stack somewhere above a thousand. */
const MAX_DEPTH = 64;

/**
 * Refuses valid JSON that cannot be stored, before any other check: the character U+0000, which PostgreSQL refuses, half of a
 * surrogate pair, which has no UTF-8, and values that are nested too deep.
 */
export function refuseOddValues(app: FastifyInstance): void {
  app.addHook('preValidation', async ({ params, query, body }) => {
    refuse(params, 'params');
    refuse(query, 'querystring');
    refuse(body, 'body');
  });
}

function refuse(value: unknown, part: RequestPart): void {
  const mistake = oddValueIn(value);
  if (mistake === undefined) return;
  const pointer = pointerTo(mistake.path, part);
  throw new RequestError('invalid-request', `${pointer || 'the body'}: ${mistake.message}`, {
    errors: [{ pointer, detail: mistake.message }],
  });
}

/** @returns the first odd value and its place; uses a list instead of recursion, which deep values would overflow */
export function oddValueIn(whole: unknown): Pick<Mistake, 'path' | 'message'> | undefined {
  const open: { value: unknown; path: readonly string[] }[] = [{ value: whole, path: [] }];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { value, path } = next;
    if (typeof value === 'string') {
      const message = oddText(value);
      if (message !== undefined) return { path, message };
    }
    if (typeof value !== 'object' || value === null) continue;
    if (path.length === MAX_DEPTH)
      return { path: [], message: `is nested too deep: at most ${MAX_DEPTH} levels are read` };
    for (const [key, one] of Object.entries(value)) {
      const message = oddText(key);
      if (message !== undefined) return { path, message: `has a field whose name ${message}` };
      open.push({ value: one, path: [...path, key] });
    }
  }
  return undefined;
}

function oddText(text: string): string | undefined {
  if (text.includes('\0')) return 'has the character U+0000, which cannot be stored';
  if (/\p{Surrogate}/u.test(text)) return 'has half of a surrogate pair, which is no character';
  return undefined;
}
