import { sameBytes } from '#content/cid/byte-reader';
import { blockMatches, type CidParts } from '#content/cid/cid-bytes';
import { blockName } from '#content/dag/verified-blocks';
import type { BuiltLeafTable } from '#content/leaf/build-leaf-table';
import { leafBytesAt, wrapLeaf } from '#content/leaf/leaf-block';
import { readExactly } from '../blocks/contents.ts';
import { DigestIndex } from '../blocks/digest-index.ts';
import { digestAt } from '../blocks/held-blocks.ts';
import type { GrowingFile } from './growing-file.ts';

interface Fetched extends BuiltLeafTable {
  readonly file: GrowingFile;
  readonly leaves: DigestIndex;
}

/** Blocks of files that are fetched by their CIDs: nodes above the leaves at once, each leaf when it is on the disk. */
export class GrowingBlocks {
  readonly #files = new Map<string, Fetched>();

  /** @param cid canonical; until the file is published or cannot be had */
  add(cid: string, built: BuiltLeafTable, file: GrowingFile): void {
    if (this.#files.has(cid)) return;
    this.#files.set(cid, { ...built, file, leaves: leavesOf(built) });
    void file.done.catch(() => undefined).finally(() => this.#files.delete(cid));
  }

  has(cid: CidParts): boolean {
    const name = blockName(cid);
    return [...this.#files.values()].some(
      (fetched) => fetched.innerBlocks.has(name) || placeOf(fetched, cid) !== undefined,
    );
  }

  /** Waits for a leaf that has not arrived yet. @returns undefined for a block of none of the files, and of a file that cannot be had */
  async get(cid: CidParts): Promise<Uint8Array | undefined> {
    const name = blockName(cid);
    for (const fetched of this.#files.values()) {
      const block = fetched.innerBlocks.get(name) ?? (await leafOf(fetched, cid));
      if (block !== undefined && blockMatches(cid, block)) return block;
    }
    return undefined;
  }
}

function leavesOf({ table }: BuiltLeafTable): DigestIndex {
  const index = new DigestIndex();
  for (let leaf = 0; leaf < table.count; leaf += 1) {
    const digest = digestAt(table, leaf);
    if (!table.known.has(leaf))
      index.add(digest, { table: 0, leaf }, (other) => sameBytes(digestAt(table, other), digest));
  }
  return index;
}

/** @returns the number of the leaf, undefined when the file has no such leaf */
const placeOf = ({ table, leaves }: Fetched, { digest }: CidParts): number | undefined =>
  [...leaves.placesOf(digest)].find(({ leaf }) => sameBytes(digestAt(table, leaf), digest))?.leaf;

/** The leaf is hashed again: what the transfer wrote may not be proven yet. */
async function leafOf(fetched: Fetched, cid: CidParts): Promise<Uint8Array | undefined> {
  const leaf = placeOf(fetched, cid);
  if (leaf === undefined) return undefined;
  const { table, file } = fetched;
  const content = file.reader();
  try {
    const bytes = await readExactly(content, table.starts[leaf]!, leafBytesAt(table, leaf));
    return bytes && wrapLeaf(table, leaf, bytes);
  } catch (error) {
    if (file.hasFailed) return undefined;
    throw error;
  } finally {
    await content.close();
  }
}
