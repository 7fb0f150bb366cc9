import { randomBytes, randomInt } from 'node:crypto';
import { crc32 } from 'node:zlib';

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const RANDOM_CHARACTERS = 30;
const CHECK_CHARACTERS = 6;
const FORM = new RegExp(`^(haulier_[a-z]{2,4}_[0-9A-Za-z]{${RANDOM_CHARACTERS}})([0-9A-Za-z]{${CHECK_CHARACTERS}})$`);

/** `pat` belongs to a person, `ci` to a pipeline. */
export type TokenKind = 'pat' | 'ci';

/**
 * Makes a token: 178 random bits and a checksum, so that a typing mistake is refused without a look into the
 * database and a secret scanner recognises a leak.
 *
 * @returns `haulier_<kind>_<30 base62><6 base62 of the CRC-32>`
 */
export function makeToken(kind: TokenKind): string {
  const random = Array.from({ length: RANDOM_CHARACTERS }, () => ALPHABET.charAt(randomInt(ALPHABET.length)));
  const named = `haulier_${kind}_${random.join('')}`;
  return named + checkOf(named);
}

/** False only for a token of our own form whose checksum is wrong: a typing mistake. */
export function mayBeToken(text: string): boolean {
  if (!text.startsWith('haulier_')) return true;
  const match = FORM.exec(text);
  return match !== null && checkOf(match[1]!) === match[2];
}

/** @returns a key for the hashes of all tokens of an installation */
export const makePepper = (): string => randomBytes(32).toString('hex');

function checkOf(named: string): string {
  let rest = crc32(named);
  let text = '';
  for (let place = 0; place < CHECK_CHARACTERS; place += 1) {
    text = ALPHABET.charAt(rest % ALPHABET.length) + text;
    rest = Math.floor(rest / ALPHABET.length);
  }
  return text;
}
