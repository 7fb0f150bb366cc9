import { StorageError } from '#core/failure';
import { formatBytes } from '#core/units';

/** Bytes that running transfers of this process still need, by folder of the partial. */
const outstanding = new Map<string, Set<{ remainingBytes: number }>>();

/** Share of the needed space to keep free for metadata of the file system and for other writers. */
const MARGIN = 0.05;

export interface DiskReservation {
  /** Sets the number of bytes that are still to be written. */
  remaining(bytes: number): void;
  release(): void;
}

/**
 * Reserves space for a transfer, counting what other running transfers of the process still need.
 *
 * @param folder where the partial lives; transfers in one folder share its space
 * @param neededBytes bytes that are still to be written
 * @param freeBytes asks the file system
 * @throws StorageError `disk-full` with the bytes that are missing
 */
export async function reserveDisk(
  folder: string,
  neededBytes: number,
  freeBytes: (folder: string) => Promise<number>,
): Promise<DiskReservation> {
  const mine = { remainingBytes: neededBytes };
  const all = outstanding.get(folder) ?? new Set();
  outstanding.set(folder, all.add(mine));
  const release = (): void => {
    all.delete(mine);
    if (all.size === 0) outstanding.delete(folder);
  };
  try {
    if (neededBytes > 0) await refuseWhenShort(folder, mine, all, freeBytes);
  } catch (error) {
    release();
    throw error;
  }
  return { remaining: (bytes) => void (mine.remainingBytes = bytes), release };
}

async function refuseWhenShort(
  folder: string,
  mine: { remainingBytes: number },
  all: ReadonlySet<{ remainingBytes: number }>,
  freeBytes: (folder: string) => Promise<number>,
): Promise<void> {
  const free = await freeBytes(folder);
  let others = 0;
  for (const one of all) if (one !== mine) others += one.remainingBytes;
  const wanted = Math.ceil(mine.remainingBytes * (1 + MARGIN));
  const missingBytes = wanted + others - free;
  if (missingBytes <= 0) return;
  const reason =
    `${formatBytes(missingBytes)} are missing: ${formatBytes(wanted)} needed, ${formatBytes(free)} free, ` +
    `${formatBytes(others)} reserved for other transfers`;
  throw new StorageError('disk-full', folder, reason, { missingBytes });
}
