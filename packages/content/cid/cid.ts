import { base10 } from 'multiformats/bases/base10';
import { base16, base16upper } from 'multiformats/bases/base16';
import { base2 } from 'multiformats/bases/base2';
import { base256emoji } from 'multiformats/bases/base256emoji';
import * as base32s from 'multiformats/bases/base32';
import { base36, base36upper } from 'multiformats/bases/base36';
import { base58btc, base58flickr } from 'multiformats/bases/base58';
import * as base64s from 'multiformats/bases/base64';
import { base8 } from 'multiformats/bases/base8';
import { messageOf } from '#core/error-facts';
import { VerifyError } from '#core/failure';
import { cidText, decodeCid, type CidParts } from './cid-bytes.ts';

export interface ParsedCid extends CidParts {
  /** CIDv1 in base32, whatever was pasted. */
  readonly cid: string;
  /** The CID as it was pasted, without scheme and path. */
  readonly original: string;
  /** Names below the CID, in order; empty when the CID itself is meant. */
  readonly path: readonly string[];
}

/** A longer text is not looked at: base2 of the largest identity CID fits. */
const MAX_CID_CHARS = 1100;

const MAX_SLASHES = 64;

const CIDV0 = /^Qm[1-9A-HJ-NP-Za-km-z]{44}$/;

const EXAMPLE = 'write for example bafybei…, Qm…, /ipfs/<cid>/<path> or ipfs://<cid>/<path>';

const BASES = [
  ...Object.values(base32s),
  ...Object.values(base64s),
  base58btc,
  base58flickr,
  base36,
  base36upper,
  base16,
  base16upper,
  base10,
  base8,
  base2,
  base256emoji,
];

const DECODERS: ReadonlyMap<string, (text: string) => Uint8Array> = new Map(
  BASES.map((base) => [base.prefix, (text: string) => base.decode(text)]),
);

/**
 * Reads a CID as people paste it: version 0 or 1 in any multibase, alone or as `/ipfs/<cid>/<path>`, `<cid>/<path>` or
 * `ipfs://<cid>/<path>`. Names of a path are taken literally; only in an `ipfs://` URL are they percent-decoded.
 *
 * @throws RangeError when the text is not a CID
 * @throws VerifyError `unsupported` for a codec, hash or digest length that we do not read
 */
export function parseCid(text: string): ParsedCid {
  const { original, path } = split(text.trim());
  if (original === '') throw new RangeError(`${quote(text)} has no CID: ${EXAMPLE}`);
  if (original.length > MAX_CID_CHARS)
    throw new RangeError(`a CID of ${original.length} characters: at most ${MAX_CID_CHARS} are read`);
  const parts = decodeText(original);
  return { ...parts, cid: cidText(parts.codec, parts.hashCode, parts.digest), original, path };
}

/** @returns the parsed CID, or undefined where `parseCid` would throw. */
export function tryParseCid(text: string): ParsedCid | undefined {
  try {
    return parseCid(text);
  } catch (error) {
    if (error instanceof RangeError || error instanceof VerifyError) return undefined;
    throw error;
  }
}

function split(text: string): { original: string; path: string[] } {
  const url = /^(?:ipfs|dweb):\/*(?:ipfs\/)?([^/?#]*)([^?#]*)/i.exec(text);
  if (url) return { original: url[1]!, path: segments(url[2]!).map(percentDecoded) };
  const pieces = text.replace(/^\/?ipfs\//, '').split('/');
  const length = /^m/i.test(pieces[0]!) ? slashedLength(pieces) : 1;
  return { original: pieces.slice(0, length).join('/'), path: pieces.slice(length).filter((name) => name !== '') };
}

/** Base64 has "/" among its letters: the CID is the longest beginning that is one. @returns how many pieces it spans */
function slashedLength(pieces: readonly string[]): number {
  for (let length = Math.min(pieces.length, MAX_SLASHES); length > 1; length -= 1)
    if (isCid(pieces.slice(0, length).join('/'))) return length;
  return 1;
}

function isCid(text: string): boolean {
  try {
    decodeText(text);
    return true;
  } catch (error) {
    return error instanceof VerifyError;
  }
}

const segments = (path: string): string[] => path.split('/').filter((name) => name !== '');

function percentDecoded(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch (cause) {
    throw new RangeError(`${quote(name)} is not percent-encoded as a URL demands`, { cause });
  }
}

function decodeText(text: string): CidParts {
  if (CIDV0.test(text)) return decodeCid(base58btc.baseDecode(text));
  const decode = DECODERS.get(String.fromCodePoint(text.codePointAt(0)!));
  if (decode === undefined) throw new RangeError(`${quote(text)} is not a CID: ${EXAMPLE}`);
  let parts: CidParts;
  try {
    parts = decodeCid(decode(text));
  } catch (cause) {
    if (cause instanceof VerifyError) throw cause;
    const reason = messageOf(cause);
    throw new RangeError(`${quote(text)} is not a CID (${reason}): ${EXAMPLE}`, { cause });
  }
  if (parts.version === 0)
    throw new RangeError(`${quote(text)} is a version 0 CID with a multibase prefix: drop the first letter`);
  return parts;
}

const quote = (text: string): string => JSON.stringify(text.length > 80 ? `${text.slice(0, 77)}…` : text);
