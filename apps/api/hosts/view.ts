import type { Host, HostDetail } from '#contracts/http/status';
import { labelsOf } from '#core/selector/host-labels';
import { lostOn, type HostRow } from '#database/hosts/host-queries';
import type { Dependencies } from '../dependencies.ts';
import { momentOf, momentOrNull } from '../server/requests/moment.ts';

type ViewDeps = Pick<Dependencies, 'now' | 'hostOfflineAfterMs'>;

export const isOnline = (row: Pick<HostRow, 'lastSeenAt'>, { now, hostOfflineAfterMs }: ViewDeps): boolean =>
  now().getTime() - row.lastSeenAt.getTime() <= hostOfflineAfterMs;

export const hostView = (row: HostRow, deps: ViewDeps): Host => ({
  name: row.shownName,
  status: isOnline(row, deps) ? 'online' : 'offline',
  draining: row.draining,
  enrolment: row.enrolment,
  labels: labelsOf(row),
  setLabels: row.labels,
  workerLabels: row.workerLabels,
  lastSeenAt: momentOrNull(row.lastSeenAt),
  workerVersion: row.workerVersion,
  storeBytes: row.storeBytes,
  freeBytes: row.freeBytes,
  memoryBytes: row.facts.memoryBytes ?? null,
  fileCount: row.fileCount,
  createdAt: momentOf(row.firstSeenAt),
});

const MAX_FILES_NAMED = 100;

/** A host with its drift. */
export async function hostDetail(row: HostRow, deps: ViewDeps & Pick<Dependencies, 'database'>): Promise<HostDetail> {
  const { missing, corrupt, repairWaits, files } = await lostOn(deps.database, row.name, MAX_FILES_NAMED);
  const { extra = 0, old = 0, files: surplus = [] } = row.surplus;
  const drift = {
    comparedAt: momentOrNull(row.inventoryAt),
    ...{ missing, corrupt, extra, old, repairWaits },
    files: [...files, ...surplus.map((file) => ({ ...file, downloadId: null, repairWaits: false }))],
  };
  return { ...hostView(row, deps), drift };
}
