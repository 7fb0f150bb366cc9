import { createPrivateKey, createPublicKey, generateKeyPairSync, sign, verify, type KeyObject } from 'node:crypto';

/** Keeps a signature of a batch from being one of anything else. */
const CONTEXT = 'haulier.event-batch.v1\n';

/** DER of an Ed25519 public key without its 32 bytes (RFC 8410, section 4). */
const SPKI_HEAD = Buffer.from('302a300506032b6570032100', 'hex');

const signedBytes = (text: string): Buffer => Buffer.from(CONTEXT + text, 'utf8');

/** Signs the text of a batch. @returns base64 */
export type SignBatch = (text: string) => string;

export interface HostKeyPair {
  /** PKCS #8 in PEM; stays on the host. */
  readonly privateKey: string;
  /** The 32 bytes in base64. */
  readonly publicKey: string;
}

/** @returns a new Ed25519 key of a host */
export function makeHostKeys(): HostKeyPair {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  return {
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    publicKey: publicKey.export({ type: 'spki', format: 'der' }).subarray(SPKI_HEAD.length).toString('base64'),
  };
}

/** @throws Error for a text that is no private key */
export function signerOf(privateKey: string): SignBatch {
  const key = createPrivateKey(privateKey);
  return (text) => sign(null, signedBytes(text), key).toString('base64');
}

/**
 * @param publicKey 32 bytes in base64
 * @param signature base64
 * @returns false also for a key or a signature that is none
 */
export function isSignedBy(publicKey: string, text: string, signature: string): boolean {
  try {
    return verify(null, signedBytes(text), publicKeyOf(publicKey), Buffer.from(signature, 'base64'));
  } catch {
    return false; // neither is from a host that enrolled
  }
}

const publicKeyOf = (base64: string): KeyObject =>
  createPublicKey({ key: Buffer.concat([SPKI_HEAD, Buffer.from(base64, 'base64')]), type: 'spki', format: 'der' });
