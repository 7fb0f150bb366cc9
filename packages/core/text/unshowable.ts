/**
 * Characters that a terminal obeys, or that a line, a label or a database cannot hold: control characters, lone surrogates, and the
 * invisible characters that turn the reading direction.
 */
const UNSHOWABLE = /[\p{Cc}\p{Cs}\u200e\u200f\u202a-\u202e\u2066-\u2069]/u;
const EACH_UNSHOWABLE = new RegExp(UNSHOWABLE, 'gu');

export const hasUnshowable = (text: string): boolean => UNSHOWABLE.test(text);

export const replaceUnshowable = (text: string, replacement: string): string =>
  text.replace(EACH_UNSHOWABLE, replacement);
