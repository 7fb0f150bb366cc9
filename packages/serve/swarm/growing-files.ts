import { open } from 'node:fs/promises';
import { loadHash } from '#content/digest/multihash';
import { leafAt, leafBytesAt, verifyLeaf } from '#content/leaf/leaf-block';
import { PieceMap } from '#core/swarm/piece-map';
import { VerifyError } from '#core/failure';
import type { HeldFile } from '#transfer/report/transfer-options';
import { readExactly } from '../blocks/contents.ts';
import type { Reader } from '../blocks/held-blocks.ts';

/** A file that is being fetched, and its leaves that other hosts may have already. */
export interface GrowingLeaves extends HeldFile {
  /** The model that the file belongs to; null for a file without one. */
  readonly model: string | null;
}

/** The files that this process fetches at the moment, by CID (version 1, base32). */
export class GrowingFiles {
  readonly #files = new Map<string, GrowingLeaves>();

  /** @returns ends the offer; call it when the file is published, or its download has ended without it */
  offer(file: GrowingLeaves): () => void {
    const { rootCid } = file.table;
    this.#files.set(rootCid, file);
    return () => {
      if (this.#files.get(rootCid) === file) this.#files.delete(rootCid);
    };
  }

  /** @returns undefined for a file that is not being fetched, or that the reader may not see */
  get(cid: string, reader: Pick<Reader, 'mayReadModel'>): GrowingLeaves | undefined {
    const file = this.#files.get(cid);
    return file === undefined || (file.model !== null && !reader.mayReadModel(file.model)) ? undefined : file;
  }
}

export const mapOf = ({ table, isDone }: HeldFile): PieceMap => PieceMap.of(table, isDone);

/** End of the leaves that are here without a gap from the one at `position` on; `position` itself where that one is missing. */
export function heldEnd({ table, isDone }: HeldFile, position: number, end: number): number {
  let held = position;
  for (let leaf = leafAt(table, position); leaf < table.count && held < end && isDone(leaf); leaf += 1)
    held = table.starts[leaf + 1]!;
  return Math.min(end, held);
}

/**
 * Reads leaves of a growing file and verifies each again, because the disk may have changed it since it arrived.
 *
 * @param range of leaves that are here
 * @throws VerifyError when the disk has other bytes; the error of the file system
 */
export async function* verifiedLeaves(
  { path, table }: HeldFile,
  { start, end }: { readonly start: number; readonly end: number },
): AsyncGenerator<Uint8Array> {
  await loadHash(table.hashCode);
  const handle = await open(path, 'r');
  const file = {
    read: async (buffer: Uint8Array, position: number): Promise<number> =>
      (await handle.read(buffer, 0, buffer.length, position)).bytesRead,
  };
  try {
    for (let leaf = leafAt(table, start); leaf < table.count && table.starts[leaf]! < end; leaf += 1) {
      const from = table.starts[leaf]!;
      const bytes = await readExactly(file, from, leafBytesAt(table, leaf));
      if (bytes === undefined || !verifyLeaf(table, leaf, bytes))
        throw new VerifyError('leaf-unobtainable', `leaf ${leaf} of ${table.rootCid} is damaged on the disk`);
      yield bytes.subarray(Math.max(0, start - from), Math.min(bytes.length, end - from));
    }
  } finally {
    await handle.close();
  }
}
