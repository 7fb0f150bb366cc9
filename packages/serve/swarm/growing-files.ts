import { open, type FileHandle } from 'node:fs/promises';
import { loadHash } from '#content/digest/multihash';
import { leafAt, leafBytesAt, verifyLeaf } from '#content/leaf/leaf-block';
import { PieceMap } from '#core/swarm/piece-map';
import { VerifyError } from '#core/failure';
import { ifPresent } from '#os/if-present';
import type { HeldFile } from '#transfer/report/transfer-options';
import { readExactly } from '../blocks/contents.ts';
import type { Reader } from '../blocks/held-blocks.ts';

/** A file that is being fetched, and its leaves that other hosts may have already. */
export interface GrowingLeaves extends HeldFile {
  /** The model that the file belongs to; null for a file without one. */
  readonly model: string | null;
}

/** Such a file while it is offered. */
export interface OfferedLeaves extends GrowingLeaves {
  /** Resolves to undefined when the file is gone. Close what it resolves to. */
  open(): Promise<OpenPart | undefined>;
}

/** A growing file that is open for reading. */
export interface OpenPart {
  /** @returns how many bytes were read */
  read(buffer: Uint8Array, position: number): Promise<number>;
  close(): Promise<void>;
}

/** The files that this process fetches at the moment, by CID (version 1, base32). */
export class GrowingFiles {
  readonly #files = new Map<string, OfferedLeaves>();

  /** @returns ends the offer; call it when the file is published, or its download has ended without it */
  offer(file: GrowingLeaves): () => void {
    const { rootCid } = file.table;
    const part = new SharedPart(file.path);
    const offered = { ...file, open: () => part.open() };
    this.#files.set(rootCid, offered);
    return () => {
      if (this.#files.get(rootCid) === offered) this.#files.delete(rootCid);
      part.end();
    };
  }

  /** @returns undefined for a file that is not being fetched, or that the reader may not see */
  get(cid: string, reader: Pick<Reader, 'mayReadModel'>): OfferedLeaves | undefined {
    const file = this.#files.get(cid);
    return file === undefined || (file.model !== null && !reader.mayReadModel(file.model)) ? undefined : file;
  }
}

/**
 * One open file for all answers. Publishing gives the file another name before its offer ends: what is open is read on, and what is opened
 * then would not be found.
 */
class SharedPart {
  readonly #path: string;
  #handle: Promise<FileHandle>;
  /** The offer, and the answers that read. */
  #holders = 1;
  #isOffered = true;

  constructor(path: string) {
    this.#path = path;
    this.#handle = this.#opened();
  }

  async open(): Promise<OpenPart | undefined> {
    if (this.#holders === 0) this.#handle = this.#opened();
    this.#holders += 1;
    const handle = await ifPresent(this.#handle).catch(async (error: unknown) => {
      await this.#letGo();
      throw error;
    });
    if (handle !== undefined)
      return {
        read: async (buffer, position) => (await handle.read(buffer, 0, buffer.length, position)).bytesRead,
        close: () => this.#letGo(),
      };
    await this.#letGo();
    return undefined;
  }

  end(): void {
    // Nothing was written, so an error of closing says nothing of the bytes.
    if (this.#isOffered) this.#letGo().catch(() => undefined);
    this.#isOffered = false;
  }

  #opened(): Promise<FileHandle> {
    const handle = open(this.#path, 'r');
    // The answers that read it are told.
    handle.catch(() => undefined);
    return handle;
  }

  async #letGo(): Promise<void> {
    this.#holders -= 1;
    if (this.#holders > 0) return;
    await this.#handle.then(
      (handle) => handle.close(),
      () => undefined,
    );
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
  part: OpenPart,
  { table }: HeldFile,
  { start, end }: { readonly start: number; readonly end: number },
): AsyncGenerator<Uint8Array> {
  await loadHash(table.hashCode);
  for (let leaf = leafAt(table, start); leaf < table.count && table.starts[leaf]! < end; leaf += 1) {
    const from = table.starts[leaf]!;
    const bytes = await readExactly(part, from, leafBytesAt(table, leaf));
    if (bytes === undefined || !verifyLeaf(table, leaf, bytes))
      throw new VerifyError('leaf-unobtainable', `leaf ${leaf} of ${table.rootCid} is damaged on the disk`);
    yield bytes.subarray(Math.max(0, start - from), Math.min(bytes.length, end - from));
  }
}
