import { encodeVarint } from '../cid/byte-reader.ts';
import { FRAMING, type Framing, type LeafFrame } from './leaf-table.ts';

const NO_FRAME: LeafFrame = { pre: new Uint8Array(0), post: new Uint8Array(0) };

/** The last frame of each type: nearly all leaves of a file have one length. */
const recent = new Map<Framing, { bytes: number; frame: LeafFrame }>();

/**
 * What stands before and after a leaf's bytes in its block: nothing for raw; for dag-pb
 * `0a <u> 08 <type> 12 <length>` before and `18 <length>` after, numbers as varints.
 *
 * @param framing raw, pbFile or pbRaw
 * @param bytes length of the leaf; a leaf of 0 bytes has no Data field
 */
export function leafFrame(framing: Framing, bytes: number): LeafFrame {
  if (framing === FRAMING.raw) return NO_FRAME;
  const last = recent.get(framing);
  if (last?.bytes === bytes) return last.frame;
  const frame = pbFrame(framing === FRAMING.pbRaw ? 0 : 2, bytes);
  recent.set(framing, { bytes, frame });
  return frame;
}

function pbFrame(type: number, bytes: number): LeafFrame {
  const length = encodeVarint(bytes);
  const post = [0x18, ...length];
  const before = bytes === 0 ? [0x08, type] : [0x08, type, 0x12, ...length];
  const inside = before.length + bytes + post.length;
  return { pre: Uint8Array.from([0x0a, ...encodeVarint(inside), ...before]), post: Uint8Array.from(post) };
}
