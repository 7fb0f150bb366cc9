import type { LeafTableCache } from '#fetch/leaf-tables';
import type { BuiltLeafTable } from '#content/leaf/build-leaf-table';
import { decodeCar, encodeCar } from '#content/dag/car';
import { decodeLeafTable, encodeLeafTable } from '#content/leaf/leaf-table-file';
import { VerifyError } from '#core/failure';
import type { Logger } from '#core/logger';
import type { Store } from '#store/open-store';

/**
 * Leaf tables in the host's store, so that a restarted worker, or one that repairs a file, need not fetch them again. A table
 * that cannot be read counts as absent.
 */
export const storeLeafTables = (store: Pick<Store, 'readLeaves' | 'writeLeaves'>, logger: Logger): LeafTableCache => ({
  load: async (cid) => {
    try {
      return await load(store, cid);
    } catch (err) {
      if (!(err instanceof VerifyError || err instanceof RangeError)) throw err;
      logger.warn({ cid, err }, 'kept leaf table is not usable');
      return undefined;
    }
  },
  save: async (cid, { table, innerBlocks }) => {
    try {
      await store.writeLeaves(cid, { table: encodeLeafTable(table), inner: encodeCar(cid, innerBlocks) });
    } catch (err) {
      if (!(err instanceof RangeError)) throw err;
      logger.debug({ cid, err }, 'leaf table is not kept');
    }
  },
});

async function load(store: Pick<Store, 'readLeaves'>, cid: string): Promise<BuiltLeafTable | undefined> {
  const { table: file, inner } = await store.readLeaves(cid);
  if (file === undefined) return undefined;
  const table = decodeLeafTable(file);
  if (table?.rootCid !== cid)
    throw new VerifyError('unsupported', 'it is damaged, of another version or of another CID');
  return { table, innerBlocks: inner === undefined ? new Map() : await decodeCar(inner) };
}
