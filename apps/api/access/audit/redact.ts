const HIDDEN = '[hidden]';
const SECRET_FIELD = /token|secret|passw|authorization|credential|cookie|apikey|api_key/i;
/** Tokens of Haulier, Hugging Face, GitHub and GitLab, and JSON Web Tokens, wherever they stand. */
const SECRET_VALUE =
  /\b(haulier_[a-z]{2,4}_|hf_|gh[pousr]_|github_pat_|glpat-)[\w-]{10,}|\beyJ[\w-]{10,}\.[\w-]+\.[\w-]*/g;
const USER_OF_URL = /\/\/[^/\s@"]*@/g;
/** The query of a URL may hold a presigned credential; its place is enough. */
const QUERY_OF_URL = /(https?:\/\/[^\s"?#]*)\?[^\s"#]*/g;

const MAX_ITEMS = 20;
const MAX_CHARACTERS = 300;
const MAX_DEPTH = 8;
const MAX_JSON_CHARACTERS = 16_000;

/**
 * A copy of a value for the audit: without secrets, and short. Of a long list the first items stand for it, and the last entry says how many
 * more there are.
 *
 * @returns null for undefined
 */
export function redacted(value: unknown): unknown {
  const copy = copyOf(value ?? null, 0);
  const size = JSON.stringify(copy).length;
  return size <= MAX_JSON_CHARACTERS ? copy : `${size} characters of JSON, too many to keep`;
}

/** A text without secrets. */
export const redactedText = (text: string): string =>
  text.replace(USER_OF_URL, '//…@').replace(QUERY_OF_URL, '$1?…').replace(SECRET_VALUE, HIDDEN);

function copyOf(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return shortened(redactedText(value));
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Date) return value.toISOString();
  if (depth === MAX_DEPTH) return '…';
  if (Array.isArray(value)) {
    const shown = value.slice(0, MAX_ITEMS).map((item) => copyOf(item, depth + 1));
    return value.length > MAX_ITEMS ? [...shown, `… and ${value.length - MAX_ITEMS} more`] : shown;
  }
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, fieldOf(key, one, depth)]));
}

/** A name such as `secretRef` names a secret and is none. */
function fieldOf(key: string, value: unknown, depth: number): unknown {
  const isSecret = SECRET_FIELD.test(key) && !/(ref|id)s?$/i.test(key) && value !== null;
  return isSecret && typeof value !== 'boolean' ? HIDDEN : copyOf(value, depth + 1);
}

const shortened = (text: string): string => (text.length > MAX_CHARACTERS ? `${text.slice(0, MAX_CHARACTERS)}…` : text);
