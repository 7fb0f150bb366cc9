import { createPrivateKey, createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto';
import { parseJson } from '#core/text/parse-json';
import { MINUTE_MS } from '#core/units';

/** Header of a request between workers of a fleet: a token that the API signed. */
export const PEER_HEADER = 'haulier-peer';

/** How long a token is good for. */
export const PEER_TOKEN_MS = 10 * MINUTE_MS;
/** The clock of a worker may be this much behind that of the API. */
const SKEW_MS = 5 * MINUTE_MS;

/** Keeps a signature of a token from being one of anything else. */
const CONTEXT = 'haulier.peer-token.v1\n';
/** What a token says: this host may fetch these files from other hosts. */
export interface PeerClaims {
  readonly host: string;
  /** Root CIDs: version 1, base32. */
  readonly cids: readonly string[];
  /** Wall clock of the API, milliseconds. */
  readonly untilMs: number;
}

/** @returns PKCS #8 in PEM */
export const makePeerTokenKey = (): string =>
  generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();

/** @returns the 32 bytes of the public half in base64url */
export const publicHalfOf = (privateKey: string): string => createPublicKey(privateKey).export({ format: 'jwk' }).x!;

/** @returns `claims.signature`, both in base64url, for a header */
export function signPeerToken(privateKey: string, claims: PeerClaims): string {
  const text = Buffer.from(JSON.stringify(claims)).toString('base64url');
  return `${text}.${sign(null, signedBytes(text), createPrivateKey(privateKey)).toString('base64url')}`;
}

/**
 * @param publicKey 32 bytes in base64url
 * @param nowMs wall clock of the API
 * @returns undefined for a token that has another signature, has ended, or ends later than any that is given
 * @throws Error for a public key that is none
 */
export function readPeerToken(publicKey: string, token: string, nowMs: number): PeerClaims | undefined {
  const [, text, signature] = /^([\w-]+)\.([\w-]{86})$/.exec(token) ?? [];
  if (text === undefined || signature === undefined) return undefined;
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: publicKey }, format: 'jwk' });
  if (!verify(null, signedBytes(text), key, Buffer.from(signature, 'base64url'))) return undefined;
  const claims = parseJson(Buffer.from(text, 'base64url').toString()) as PeerClaims;
  return claims.untilMs > nowMs && claims.untilMs <= nowMs + PEER_TOKEN_MS + SKEW_MS ? claims : undefined;
}

/** @returns when a token ends, by the wall clock of the API in milliseconds; its signature is not checked: undefined for a text that is no token */
export function endOfPeerToken(token: string): number | undefined {
  const text = /^([\w-]+)\./.exec(token)?.[1] ?? '';
  const { untilMs } = Object(parseJson(Buffer.from(text, 'base64url').toString())) as Partial<PeerClaims>;
  return Number.isSafeInteger(untilMs) ? untilMs : undefined;
}

const signedBytes = (text: string): Buffer => Buffer.from(CONTEXT + text);
