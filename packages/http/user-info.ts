/**
 * `Authorization` for the user info of a URL (RFC 7617).
 *
 * @returns undefined without user info
 */
export function basicAuthorization({ username, password }: URL): string | undefined {
  if (username === '' && password === '') return undefined;
  return `Basic ${Buffer.concat([decoded(username), Buffer.from(':'), decoded(password)]).toString('base64')}`;
}

/** The bytes behind percent signs, whatever their character set; a percent sign that encodes nothing stands for itself. */
const decoded = (text: string): Buffer =>
  Buffer.from(
    text.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    'latin1',
  );

/** @returns a copy without user info */
export function withoutUserInfo(url: URL): URL {
  const copy = new URL(url);
  copy.username = '';
  copy.password = '';
  return copy;
}
