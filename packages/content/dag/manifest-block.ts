import * as dagJson from '@ipld/dag-json';
import { CID } from 'multiformats/cid';
import { messageOf } from '#core/error-facts';
import { VerifyError } from '#core/failure';
import { MIB } from '#core/units';
import { CODEC, cidText } from '../cid/cid-bytes.ts';
import { parseCid } from '../cid/cid.ts';
import { hashFunction, SHA2_256 } from '../digest/multihash.ts';
import { verifiedBlocks, type FetchBlock } from './verified-blocks.ts';

/** A longer block cannot travel over IPFS. */
export const MAX_MANIFEST_BYTES = 2 * MIB;

export interface ManifestBlock {
  readonly bytes: Uint8Array;
  /** Canonical CIDv1, codec dag-json. */
  readonly cid: string;
}

/**
 * Writes a manifest as a dag-json block: the same value always gives the same bytes (keys sorted, no spaces).
 * Fields that are undefined are left out.
 *
 * @throws VerifyError `unsupported` when the block is over 2 MiB: split the manifest
 */
export function encodeManifestBlock(manifest: object): ManifestBlock {
  const bytes = dagJson.encode(plain(manifest));
  if (bytes.length > MAX_MANIFEST_BYTES)
    throw new VerifyError(
      'unsupported',
      `a manifest of ${bytes.length} bytes: a block has at most ${MAX_MANIFEST_BYTES}, split it into several models`,
    );
  return { bytes, cid: cidText(CODEC.dagJson, SHA2_256, hashFunction(SHA2_256).hash(bytes)) };
}

/**
 * Reads a dag-json block strictly: repeated keys, bad UTF-8 and anything after the value are refused. Links become
 * their CID as text. The caller checks the shape with the manifest contract.
 *
 * @param bytes verified against the CID
 * @throws VerifyError `wrong-format`
 */
export function decodeManifestBlock(bytes: Uint8Array): unknown {
  if (bytes.length > MAX_MANIFEST_BYTES)
    throw new VerifyError(
      'wrong-format',
      `a manifest block of ${bytes.length} bytes: at most ${MAX_MANIFEST_BYTES} are read`,
    );
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return plain(dagJson.decode(bytes));
  } catch (cause) {
    const reason = messageOf(cause);
    throw new VerifyError('wrong-format', `the manifest block is not strict dag-json: ${reason}`, { cause });
  }
}

/**
 * Fetches a manifest by CID: the block is verified, then read strictly.
 *
 * @throws RangeError for a text that is no CID; VerifyError `unsupported` for another codec, `wrong-format`,
 *   `leaf-unobtainable`; and whatever `fetchBlock` throws
 */
export async function fetchManifest(cid: string, fetchBlock: FetchBlock, signal: AbortSignal): Promise<unknown> {
  const parsed = parseCid(cid);
  if (parsed.codec !== CODEC.dagJson)
    throw new VerifyError('unsupported', `${parsed.cid} is no dag-json block: a manifest's CID begins with baguqeera`);
  const limits = { maxBlockBytes: MAX_MANIFEST_BYTES, maxTotalBytes: MAX_MANIFEST_BYTES, signal };
  return decodeManifestBlock(await verifiedBlocks(fetchBlock, limits).get(parsed, parsed.cid));
}

/** Only what JSON has: links as text, no undefined fields. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  const link = typeof value === 'object' && value !== null ? CID.asCID(value) : null;
  if (link !== null) return link.toV1().toString();
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value;
  const fields = Object.entries(value).filter(([, field]) => field !== undefined);
  return Object.fromEntries(fields.map(([key, field]) => [key, plain(field)]));
}
