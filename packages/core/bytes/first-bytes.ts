/** What the first bytes of a body show. A type or a name says nothing here. */
export type Disguise = 'an HTML page' | 'JSON' | 'a Git LFS pointer';

/** The first bytes of a body that tell one thing from another. */
export const TELLING_BYTES = 512;
/** The second name is that of the program before its first release, which it still reads. */
const LFS_POINTER = /^version https:\/\/(?:git-lfs|hawser)\.github\.com\/spec\/v1\r?(?:\n|$)/;
/** The tags by which browsers know a page (WHATWG MIME Sniffing, section 7.1), and those that error pages begin with. */
const HTML =
  /^(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*>\s*)?(?:<!--[^]*?(?:-->|$)\s*)*(?:$|<(?:!doctype html|html|head|body|title|script|style|meta|link|iframe|center|h1|div|font|table|a|b|br|p)[\s>/])/i;

/**
 * @param bytes at least TELLING_BYTES of the body, or all of a shorter one
 * @returns undefined for anything else
 */
export function disguiseOf(bytes: Uint8Array): Disguise | undefined {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.byteLength, TELLING_BYTES)).toString(
    'latin1',
  );
  if (LFS_POINTER.test(text)) return 'a Git LFS pointer';
  if (text.includes('<') && HTML.test(text)) return 'an HTML page';
  return /^(?:\xef\xbb\xbf)?\s*[{[]/.test(text) ? 'JSON' : undefined;
}
