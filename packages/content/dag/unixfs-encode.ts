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

/** One name of a directory. */
export interface NamedLink extends Pick<ChildLink, 'cid' | 'tsize'> {
  readonly name: string;
}

/** Encodes a directory of one block as the common builders do: links in the order of their names' bytes. */
export function encodeDirectoryNode(entries: readonly NamedLink[]): Uint8Array {
  const named = entries.map((entry) => ({ ...entry, bytes: Buffer.from(entry.name) }));
  named.sort((a, b) => Buffer.compare(a.bytes, b.bytes));
  return concat([...named.map((entry) => encodeLink(entry, entry.bytes)), Uint8Array.of(0x0a, 2, 0x08, 1)]);
}

/** Bits of the hash of a name that a shard of the common builders uses: it has 256 places. */
export const SHARD_BITS = 8;

/**
 * Encodes a shard of a HAMT directory as the common builders do.
 *
 * @param links by their places, in order; each name begins with the place
 */
export function encodeShardNode(links: ReadonlyMap<number, NamedLink>): Uint8Array {
  const bits = [...links.keys()].reduce((sum, place) => sum | (1n << BigInt(place)), 0n).toString(16);
  const field = Buffer.from(bits.length % 2 === 0 ? bits : `0${bits}`, 'hex');
  const [hash, fanout] = [encodeVarint(0x22), encodeVarint(1 << SHARD_BITS)];
  const data = [0x08, 5, 0x12, ...encodeVarint(field.length), ...field, 0x28, ...hash, 0x30, ...fanout];
  const encoded = [...links.values()].map((link) => encodeLink(link, Buffer.from(link.name)));
  return concat([...encoded, Uint8Array.from([0x0a, ...encodeVarint(data.length), ...data])]);
}

const NO_NAME = new Uint8Array(0);

function encodeLink({ cid, tsize }: Pick<ChildLink, 'cid' | 'tsize'>, name = NO_NAME): Uint8Array {
  const nameHead = [0x12, ...encodeVarint(name.length)];
  const tail = [0x18, ...encodeVarint(tsize)];
  const inside = encodeVarint(cid.length);
  const length = encodeVarint(1 + inside.length + cid.length + nameHead.length + name.length + tail.length);
  return concat([
    Uint8Array.from([0x12, ...length, 0x0a, ...inside]),
    cid,
    Uint8Array.from(nameHead),
    name,
    Uint8Array.from(tail),
  ]);
}
