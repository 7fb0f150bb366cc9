import type { Host } from '#contracts/http/status';
import { MINUTE_MS } from '#core/units';
import type { HostRow } from '#database/hosts/host-queries';
import { momentOf, momentOrNull } from '../server/moment.ts';

const ONLINE_WITHIN_MS = 2 * MINUTE_MS;

export const hostView = (row: HostRow, now: Date): Host => ({
  name: row.name,
  status: now.getTime() - row.lastSeenAt.getTime() <= ONLINE_WITHIN_MS ? 'online' : 'offline',
  lastSeenAt: momentOrNull(row.lastSeenAt),
  workerVersion: row.workerVersion,
  storeBytes: row.storeBytes,
  freeBytes: row.freeBytes,
  fileCount: row.fileCount,
  createdAt: momentOf(row.firstSeenAt),
});
