import { base32 } from 'multiformats/bases/base32';
import { base58btc } from 'multiformats/bases/base58';
import { VerifyError } from '#core/failure';
import { ByteReader, concat, encodeVarint, sameBytes } from './byte-reader.ts';
import {
  hashFunction,
  hashSpec,
  IDENTITY,
  MAX_IDENTITY_BYTES,
  MIN_DIGEST_BYTES,
  SHA2_256,
  unknownHash,
} from '../digest/multihash.ts';

/** Multicodec codes of the blocks we read. */
export const CODEC = { raw: 0x55, dagPb: 0x70, dagJson: 0x0129 } as const;

const CODEC_NAMES: ReadonlyMap<number, string> = new Map([
  [CODEC.raw, 'raw'],
  [CODEC.dagPb, 'dag-pb'],
  [CODEC.dagJson, 'dag-json'],
]);

/** Codecs that people meet and that name no file, for messages. */
const FOREIGN_CODECS: ReadonlyMap<number, string> = new Map([
  [0x71, 'dag-cbor'],
  [0x72, 'libp2p-key, an IPNS name'],
  [0x0200, 'json'],
  [0x0202, 'car'],
]);

/** A CID taken apart. `digest` is a view of the bytes it was read from. */
export interface CidParts {
  readonly version: 0 | 1;
  readonly codec: number;
  readonly hashCode: number;
  readonly digest: Uint8Array;
}

/**
 * Reads a binary CID that fills `bytes` completely.
 *
 * @throws RangeError when the bytes are not a CID
 * @throws VerifyError `unsupported` for an unknown version, codec or hash, a truncated digest under 20 bytes, or
 *   an identity digest over 128 bytes (IPIP-512)
 */
export function decodeCid(bytes: Uint8Array): CidParts {
  if (bytes.length === 34 && bytes[0] === SHA2_256 && bytes[1] === 32)
    return { version: 0, codec: CODEC.dagPb, hashCode: SHA2_256, digest: bytes.subarray(2) };
  const reader = new ByteReader(bytes);
  const version = reader.varint(true);
  if (version !== 1) throw new VerifyError('unsupported', `CID version ${version} is unknown: 0 and 1 are read`);
  const codec = reader.varint(true);
  const hashCode = reader.varint(true);
  const digest = reader.take(reader.varint(true));
  if (!reader.done) throw new RangeError(`${bytes.length - reader.offset} bytes follow the CID`);
  refuseUnknownCodec(codec);
  refuseBadDigest(hashCode, digest.length);
  return { version: 1, codec, hashCode, digest };
}

function refuseUnknownCodec(codec: number): void {
  if (CODEC_NAMES.has(codec)) return;
  const foreign = FOREIGN_CODECS.get(codec);
  const named = `0x${codec.toString(16)}${foreign === undefined ? '' : ` (${foreign})`}`;
  throw new VerifyError('unsupported', `unsupported codec ${named}: known are ${[...CODEC_NAMES.values()].join(', ')}`);
}

function refuseBadDigest(hashCode: number, length: number): void {
  if (hashCode === IDENTITY) {
    if (length > MAX_IDENTITY_BYTES)
      throw new VerifyError(
        'unsupported',
        `an identity CID of ${length} bytes: at most ${MAX_IDENTITY_BYTES} are accepted`,
      );
    return;
  }
  const spec = hashSpec(hashCode);
  if (spec === undefined) throw unknownHash(hashCode);
  if (length < MIN_DIGEST_BYTES || length > spec.digestBytes)
    throw new VerifyError(
      'unsupported',
      `a ${spec.name} digest of ${length} bytes: ${MIN_DIGEST_BYTES} to ${spec.digestBytes} are accepted`,
    );
}

/** The binary CIDv1 of a codec and a digest. */
export const encodeCid = (codec: number, hashCode: number, digest: Uint8Array): Uint8Array =>
  concat([
    Uint8Array.from([1, ...encodeVarint(codec), ...encodeVarint(hashCode), ...encodeVarint(digest.length)]),
    digest,
  ]);

/** The binary CID in the version that it was read in: of version 0 the bare multihash. */
export const sameVersionBytes = ({ version, codec, hashCode, digest }: CidParts): Uint8Array =>
  version === 0 ? concat([Uint8Array.of(SHA2_256, 32), digest]) : encodeCid(codec, hashCode, digest);

/** CIDv1 in base32: the form for caches, requests and peers. */
export const cidText = (codec: number, hashCode: number, digest: Uint8Array): string =>
  base32.encode(encodeCid(codec, hashCode, digest));

/** CIDv0 text of a dag-pb SHA-256 digest: `Qm…`. */
export const cidV0Text = (digest: Uint8Array): string =>
  base58btc.baseEncode(concat([Uint8Array.of(SHA2_256, 32), digest]));

/** @returns the binary form of a canonical CIDv1 text (`b…`). */
export const cidBytes = (text: string): Uint8Array => base32.decode(text);

/**
 * True when the block is what the CID names.
 *
 * @throws VerifyError `unsupported` when the hash was not loaded in this thread
 */
export function blockMatches(cid: CidParts, block: Uint8Array): boolean {
  if (cid.hashCode === IDENTITY) return sameBytes(cid.digest, block);
  const digest = hashFunction(cid.hashCode).hash(block);
  return sameBytes(digest.length === cid.digest.length ? digest : digest.subarray(0, cid.digest.length), cid.digest);
}
