/*
 * What an error says of itself. The value is asked, not its class: an error may come from another realm, and anything can be
 * thrown.
 */

/** @returns the code that Node and its libraries put on their errors, such as `ENOENT`; '' without one */
export function codeOf(error: unknown): string {
  if (typeof error !== 'object' || error === null || !('code' in error)) return '';
  return typeof error.code === 'string' ? error.code : '';
}

/** @returns what went wrong, in words */
export function messageOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'message' in error ? String(error.message) : String(error);
}
