/** The token of a request, and how it was sent. */
export interface Credentials {
  readonly token: string;
  readonly scheme: 'bearer' | 'basic';
}

const MAX_HEADER_CHARACTERS = 1000;

/**
 * Reads an `Authorization` header. Basic carries the token as the password; its user name is free.
 *
 * @returns undefined without a header, or with one that is neither
 * @see RFC 6750 section 2.1, RFC 7617 section 2
 */
export function readCredentials(header: string | undefined): Credentials | undefined {
  if (header === undefined || header.length > MAX_HEADER_CHARACTERS) return undefined;
  const match = /^(bearer|basic) +(\S+)$/i.exec(header.trim());
  if (match === null) return undefined;
  if (match[1]!.toLowerCase() === 'bearer') return { token: match[2]!, scheme: 'bearer' };
  const pair = Buffer.from(match[2]!, 'base64').toString('utf8');
  const colon = pair.indexOf(':');
  return colon < 0 ? undefined : { token: pair.slice(colon + 1), scheme: 'basic' };
}
