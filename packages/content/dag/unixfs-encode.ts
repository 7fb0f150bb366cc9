import { concat, encodeVarint } from '../cid/byte-reader.ts';

/** A child of an inner node of a file. */
export interface ChildLink {
  /** Binary CID. */
  readonly cid: Uint8Array;
  /** Bytes of the file below it. */
  readonly sizeBytes: number;
  /** Bytes of all blocks below it, its own included. */
  readonly tsize: number;
}

/** Encodes an inner node of a file as the common builders do: links first, block sizes unpacked. */
export function encodeFileNode(children: readonly ChildLink[]): Uint8Array {
  const parts: Uint8Array[] = [];
  const unixfs: number[] = [];
  let sizeBytes = 0;
  for (const child of children) {
    parts.push(encodeLink(child));
    unixfs.push(0x20, ...encodeVarint(child.sizeBytes));
    sizeBytes += child.sizeBytes;
  }
  const data = [0x08, 2, 0x18, ...encodeVarint(sizeBytes), ...unixfs];
  parts.push(Uint8Array.from([0x0a, ...encodeVarint(data.length), ...data]));
  return concat(parts);
}

function encodeLink({ cid, tsize }: ChildLink): Uint8Array {
  const tail = [0x12, 0, 0x18, ...encodeVarint(tsize)];
  const inside = encodeVarint(cid.length);
  const length = encodeVarint(1 + inside.length + cid.length + tail.length);
  return concat([Uint8Array.from([0x12, ...length, 0x0a, ...inside]), cid, Uint8Array.from(tail)]);
}
