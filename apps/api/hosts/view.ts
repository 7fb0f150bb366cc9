import type { Host } from '#contracts/http/status';
import { labelsOf } from '#core/selector/host-labels';
import type { HostRow } from '#database/hosts/host-queries';
import type { Dependencies } from '../dependencies.ts';
import { momentOf, momentOrNull } from '../server/moment.ts';

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
