import { VerifyError } from '#core/failure';
import { ByteReader, concat, encodeVarint } from '../cid/byte-reader.ts';
import { blockMatches, cidBytes, decodeCid } from '../cid/cid-bytes.ts';
import { loadHash } from '../digest/multihash.ts';
import { blockName } from './verified-blocks.ts';

/**
 * Writes blocks as one CARv1 file.
 *
 * @param rootCid canonical; stands in the header
 * @param blocks by canonical CID; written in their order
 * @see CARv1 specification
 */
export function encodeCar(rootCid: string, blocks: ReadonlyMap<string, Uint8Array>): Uint8Array {
  const parts = [carHead(cidBytes(rootCid))];
  for (const [cid, block] of blocks) parts.push(framed([cidBytes(cid), block]));
  return concat(parts);
}

/** The header of a CARv1 file whose root is this binary CID. */
export const carHead = (root: Uint8Array): Uint8Array => framed([carHeader(root)]);

/** What stands before a block in a CARv1 file. */
export function carSectionHead(cid: Uint8Array, blockBytes: number): Uint8Array {
  return concat([Uint8Array.from(encodeVarint(cid.length + blockBytes)), cid]);
}

/**
 * Reads the blocks of a CARv1 file, in any order; the header's roots are ignored as the gateway specification demands.
 *
 * @returns blocks that hash to their CID, by canonical CID. Damage ends the reading or drops a block, and never brings
 *   a wrong one in; a walk asks again for what is missing.
 */
export async function decodeCar(car: Uint8Array): Promise<Map<string, Uint8Array>> {
  const blocks = new Map<string, Uint8Array>();
  for (const section of sectionsOf(car)) await readSection(section, blocks).catch(ignoreDamage);
  return blocks;
}

/** The sections behind the header, up to the first that is cut. */
function* sectionsOf(car: Uint8Array): Generator<Uint8Array> {
  const reader = new ByteReader(car);
  try {
    reader.field();
    while (!reader.done) yield reader.field();
  } catch (error) {
    ignoreDamage(error);
  }
}

/** A damaged place brings no block in; anything else is a fault of ours. */
function ignoreDamage(error: unknown): void {
  if (!(error instanceof RangeError) && !(error instanceof VerifyError)) throw error;
}

async function readSection(section: Uint8Array, into: Map<string, Uint8Array>): Promise<void> {
  const length = cidLength(section);
  const cid = decodeCid(section.subarray(0, length));
  await loadHash(cid.hashCode);
  const block = section.subarray(length);
  if (blockMatches(cid, block)) into.set(blockName(cid), block);
}

/** Length of the binary CID that a section begins with. */
function cidLength(section: Uint8Array): number {
  if (section[0] === 0x12 && section[1] === 32) return 34;
  const reader = new ByteReader(section);
  for (let field = 0; field < 3; field += 1) reader.varint(true);
  reader.take(reader.varint(true));
  return reader.offset;
}

const framed = (parts: readonly Uint8Array[]): Uint8Array => {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  return concat([Uint8Array.from(encodeVarint(length)), ...parts]);
};

/** dag-cbor of `{ roots: [CID], version: 1 }`: a CID is tag 42 around a byte string that starts with 0. */
function carHeader(root: Uint8Array): Uint8Array {
  const roots = [0xa2, 0x65, ...Buffer.from('roots'), 0x81, 0xd8, 0x2a, ...cborBytesHead(root.length + 1), 0];
  return concat([Uint8Array.from(roots), root, Uint8Array.from([0x67, ...Buffer.from('version'), 1])]);
}

const cborBytesHead = (length: number): number[] => (length < 24 ? [0x40 | length] : [0x58, length]);
