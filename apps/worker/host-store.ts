import { parseCid } from '#content/cid';
import { verifyLeaf } from '#content/leaf-block';
import { decodeLeafTable } from '#content/leaf-table-file';
import { VerifyError } from '#core/failure';
import type { Logger } from '#core/logger';
import { openStore, type Store } from '#store/open-store';
import type { StoreNotice } from '#store/context';

/** Opens this host's store, taught to read leaf tables and CIDs. */
export function openHostStore(home: string, onNotice: (notice: StoreNotice) => void, logger: Logger): Promise<Store> {
  return openStore({
    home,
    logger,
    onNotice,
    canonicalCid: (cid) => parseCid(cid).cid,
    leaves: {
      decode: (bytes) => {
        const table = decodeLeafTable(bytes);
        if (!table) throw new VerifyError('unsupported', 'the kept leaf table is damaged or of another version');
        return table;
      },
      matches: verifyLeaf,
    },
  });
}
