import { decodeCid, cidBytes } from '#content/cid/cid-bytes';
import { decodeCar } from '#content/dag/car';
import { rebuildInnerBlocks } from '#content/dag/dag-builder';
import { decodeLeafTable } from '#content/leaf/leaf-table-file';
import type { LeafTable } from '#content/leaf/leaf-table';
import { MIB } from '#core/units';
import type { Store } from '#store/open-store';

/** What the store has of one CID beside the content itself. */
export interface Shelved {
  readonly cid: string;
  /** Undefined for a directory, of which only nodes are kept. */
  readonly table: LeafTable | undefined;
  /** Nodes above the leaves, by the hexadecimal of their digest. */
  readonly inner: ReadonlyMap<string, Uint8Array>;
}

/** Memory of decoded tables and nodes; the least recently used ones are read again. */
const MAX_BYTES = 48 * MIB;

/** Reads leaf tables and inner nodes of the store, and keeps those in use. */
export class LeafShelf {
  readonly #store: Pick<Store, 'readLeaves'>;
  readonly #held = new Map<string, { readonly shelved: Shelved; readonly bytes: number }>();
  readonly #reading = new Map<string, Promise<Shelved | undefined>>();
  #bytes = 0;

  constructor(store: Pick<Store, 'readLeaves'>) {
    this.#store = store;
  }

  /** @returns undefined where nothing usable is kept */
  async get(cid: string): Promise<Shelved | undefined> {
    const held = this.#held.get(cid);
    if (held !== undefined) {
      this.#held.delete(cid);
      this.#held.set(cid, held);
      return held.shelved;
    }
    const running = this.#reading.get(cid);
    if (running !== undefined) return running;
    const reading = this.#read(cid).finally(() => this.#reading.delete(cid));
    this.#reading.set(cid, reading);
    return reading;
  }

  forget(cid: string): void {
    this.#bytes -= this.#held.get(cid)?.bytes ?? 0;
    this.#held.delete(cid);
  }

  async #read(cid: string): Promise<Shelved | undefined> {
    const files = await this.#store.readLeaves(cid);
    const decoded = files.table === undefined ? undefined : decodeLeafTable(files.table);
    const table = decoded?.rootCid === cid ? decoded : undefined;
    const kept = files.inner === undefined ? new Map<string, Uint8Array>() : await decodeCar(files.inner);
    // A DAG of one leaf has no nodes; of a larger one they follow from the leaves where a known profile made it.
    const blocks = kept.size > 0 || table === undefined ? kept : (rebuildInnerBlocks(table) ?? kept);
    if (table === undefined && blocks.size === 0) return undefined;
    const inner = new Map([...blocks].map(([name, block]) => [hexOf(decodeCid(cidBytes(name)).digest), block]));
    const shelved = { cid, table, inner };
    this.#hold(
      shelved,
      (files.table?.length ?? 0) * 2 + [...blocks.values()].reduce((sum, one) => sum + one.length, 0),
    );
    return shelved;
  }

  #hold(shelved: Shelved, bytes: number): void {
    this.#held.set(shelved.cid, { shelved, bytes });
    this.#bytes += bytes;
    for (const [cid, held] of this.#held) {
      if (this.#bytes <= MAX_BYTES || cid === shelved.cid) break;
      this.#held.delete(cid);
      this.#bytes -= held.bytes;
    }
  }
}

export const hexOf = (digest: Uint8Array): string => Buffer.from(digest).toString('hex');
