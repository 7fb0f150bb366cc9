import { createHash, hash as hashOnce } from 'node:crypto';
import { VerifyError } from '#core/failure';

/** A hash being computed over bytes that arrive in pieces. */
export interface RunningHash {
  update(bytes: Uint8Array): void;
  digest(): Uint8Array;
}

export interface HashFunction {
  /** Multicodec code. */
  readonly code: number;
  readonly name: string;
  /** Length of the whole digest; a CID may carry a truncated one, of 20 bytes or more. */
  readonly digestBytes: number;
  hash(bytes: Uint8Array): Uint8Array;
  create(): RunningHash;
}

export const SHA2_256 = 0x12;
export const IDENTITY = 0x00;
/** Longest digest of an identity CID. @see IPIP-512 */
export const MAX_IDENTITY_BYTES = 128;
/** Shortest truncated digest that is believed. */
export const MIN_DIGEST_BYTES = 20;

const BLAKE3 = 0x1e;
/** BLAKE2b has a code for each length: this and the bytes of the digest. */
const BLAKE2B = 0xb200;
const BLAKE2B_MAX_BYTES = 64;

interface HashSpec {
  readonly name: string;
  readonly digestBytes: number;
  /** OpenSSL's name; undefined when it needs the optional library. */
  readonly native?: string | undefined;
}

const SPECS: ReadonlyMap<number, HashSpec> = new Map<number, HashSpec>([
  [SHA2_256, { name: 'sha2-256', digestBytes: 32, native: 'sha256' }],
  [0x13, { name: 'sha2-512', digestBytes: 64, native: 'sha512' }],
  [0x20, { name: 'sha2-384', digestBytes: 48, native: 'sha384' }],
  [0x1013, { name: 'sha2-224', digestBytes: 28, native: 'sha224' }],
  [0x1014, { name: 'sha2-512-224', digestBytes: 28, native: 'sha512-224' }],
  [0x1015, { name: 'sha2-512-256', digestBytes: 32, native: 'sha512-256' }],
  [0x14, { name: 'sha3-512', digestBytes: 64, native: 'sha3-512' }],
  [0x15, { name: 'sha3-384', digestBytes: 48, native: 'sha3-384' }],
  [0x16, { name: 'sha3-256', digestBytes: 32, native: 'sha3-256' }],
  [0x17, { name: 'sha3-224', digestBytes: 28, native: 'sha3-224' }],
  [BLAKE3, { name: 'blake3', digestBytes: 32 }],
  ...Array.from({ length: BLAKE2B_MAX_BYTES - MIN_DIGEST_BYTES + 1 }, (_, more) => blake2b(MIN_DIGEST_BYTES + more)),
]);

/** Only the longest one is in node:crypto; a shorter one is no prefix of it. */
function blake2b(digestBytes: number): readonly [number, HashSpec] {
  const native = digestBytes === BLAKE2B_MAX_BYTES ? 'blake2b512' : undefined;
  return [BLAKE2B + digestBytes, { name: `blake2b-${digestBytes * 8}`, digestBytes, native }];
}

const ready = new Map<number, HashFunction>();

/** @returns name and digest length of a hash we know, or undefined. The identity "hash" is not one. */
export const hashSpec = (code: number): HashSpec | undefined => SPECS.get(code);

/** Every hash by name, for messages; the lengths of BLAKE2b as one. */
export function supportedHashes(): string {
  const names = [...SPECS.values()].map(({ name }) => name).filter((name) => !name.startsWith('blake2b'));
  return ['identity', ...names, `blake2b-${MIN_DIGEST_BYTES * 8} to blake2b-${BLAKE2B_MAX_BYTES * 8}`].join(', ');
}

/**
 * The hash function for a multihash code.
 *
 * @throws VerifyError `unsupported` for an unknown code, or for one whose library was not loaded by `loadHash`
 */
export function hashFunction(code: number): HashFunction {
  const known = ready.get(code);
  if (known !== undefined) return known;
  const spec = SPECS.get(code);
  if (spec === undefined) throw unknownHash(code);
  if (spec.native === undefined)
    throw new VerifyError('unsupported', `${spec.name} is not loaded in this thread: call loadHash first`);
  const made = nativeHash(code, spec, spec.native);
  ready.set(code, made);
  return made;
}

/**
 * Makes `hashFunction(code)` usable in this thread; only BLAKE needs it, at the cost of loading a library.
 *
 * @throws VerifyError `unsupported` for an unknown code, or when the optional library `hash-wasm` is not installed
 */
export async function loadHash(code: number): Promise<HashFunction> {
  const spec = SPECS.get(code);
  if (spec === undefined || spec.native !== undefined || ready.has(code)) return hashFunction(code);
  const made = await wasmHash(code, spec);
  ready.set(code, made);
  return made;
}

export function unknownHash(code: number): VerifyError {
  return new VerifyError('unsupported', `unsupported multihash 0x${code.toString(16)}: known are ${supportedHashes()}`);
}

function nativeHash(code: number, spec: HashSpec, algorithm: string): HashFunction {
  const create = (): RunningHash => {
    const running = createHash(algorithm);
    return { update: (bytes) => void running.update(bytes), digest: () => running.digest() };
  };
  // One-shot: no hash object per leaf.
  const hash = (bytes: Uint8Array) => hashOnce(algorithm, bytes, 'buffer');
  return { code, name: spec.name, digestBytes: spec.digestBytes, hash, create };
}

async function wasmHash(code: number, spec: HashSpec): Promise<HashFunction> {
  const library = await import('hash-wasm').catch((cause: unknown) => {
    throw new VerifyError(
      'unsupported',
      `${spec.name} needs the optional library hash-wasm, which is not installed: run npm install hash-wasm`,
      { cause },
    );
  });
  const engine = await (code === BLAKE3 ? library.createBLAKE3() : library.createBLAKE2b(spec.digestBytes * 8));
  const hash = (bytes: Uint8Array) => engine.init().update(bytes).digest('binary');
  // One engine serves every running hash of the thread: each keeps its own saved state.
  const create = (): RunningHash => {
    let state = engine.init().save();
    return {
      update(bytes) {
        engine.load(state);
        state = engine.update(bytes).save();
      },
      digest: () => engine.load(state).digest('binary'),
    };
  };
  return { code, name: spec.name, digestBytes: spec.digestBytes, hash, create };
}
