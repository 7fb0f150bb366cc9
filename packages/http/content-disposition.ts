/** `name=value` of the header, the value a token or a quoted string (RFC 6266 section 4.1). */
const PARAMETER = /;\s*(filename\*?)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;]*))/gi;
/** `charset'language'percent-encoded` (RFC 8187 section 3.2). */
const EXTENDED = /^(utf-8|iso-8859-1)'[^']*'(.*)$/i;

/**
 * The file name of a Content-Disposition header: `filename*` where it can be read, else `filename`. It comes from a stranger, and may hold
 * slashes and whatever else.
 *
 * @param header as the transport gives it, its bytes as Latin-1 or decoded already
 * @returns undefined when it names none
 */
export function fileNameOf(header: string | undefined): string | undefined {
  let plain: string | undefined;
  let extended: string | undefined;
  for (const [, name, quoted, token] of `;${header ?? ''}`.matchAll(PARAMETER)) {
    const value = quoted?.replace(/\\(.)/g, '$1') ?? token!.trim();
    if (name!.endsWith('*')) extended ??= decodeExtended(value);
    else plain ??= decodeRaw(value);
  }
  return [extended, plain].find((name) => name !== undefined && name !== '');
}

function decodeExtended(value: string): string | undefined {
  const [, charset = '', encoded = ''] = EXTENDED.exec(value) ?? [];
  if (charset === '') return undefined;
  if (charset.toLowerCase() !== 'utf-8')
    return encoded.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
  try {
    return decodeURIComponent(encoded);
  } catch {
    return undefined;
  }
}

/** Many servers write UTF-8 where the standard has Latin-1. */
function decodeRaw(value: string): string {
  if (!/[\u0080-\u00ff]/.test(value) || /[\u0100-\uffff]/.test(value)) return value;
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(value, 'latin1'));
  } catch {
    return value;
  }
}
