const REDACTED = 'redacted';

/**
 * A URL as logs, errors and metrics may show it: no user info, no fragment, and the value of every query
 * parameter hidden except a few that never carry secrets. Presigned URLs put their proof in the query under names
 * that change, so the list says what is harmless, not what is secret.
 */
export function redactUrl(url: string | URL): string {
  if (!URL.canParse(String(url))) return '(not a URL)';
  const shown = new URL(url);
  shown.username = '';
  shown.password = '';
  shown.hash = '';
  for (const name of new Set(shown.searchParams.keys())) {
    if (!HARMLESS.has(name)) shown.searchParams.set(name, REDACTED);
  }
  return shown.href;
}

/** Text that a person typed and that is no URL, without what may be the user info of one. */
export const redactUserInfo = (text: string): string => text.replace(/\/\/[^/?#\s]*@/g, `//${REDACTED}@`);

const HARMLESS = new Set([
  'format',
  'filename',
  'download',
  'recursive',
  'expand',
  'cursor',
  'X-Amz-Expires',
  'X-Amz-Date',
]);
