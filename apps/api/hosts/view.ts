import type { Host, HostDetail } from '#contracts/http/status';
import { labelsOf } from '#core/selector/host-labels';
import { SECOND_MS } from '#core/units';
import { desiredOn, lostOn, type DesiredRow, type HostRow } from '#database/hosts/host-queries';
import type { Dependencies } from '../dependencies.ts';
import { momentOf, momentOrNull } from '../server/requests/moment.ts';

type ViewDeps = Pick<Dependencies, 'now' | 'hostOfflineAfterMs'>;

export const isOnline = (row: Pick<HostRow, 'lastSeenAt'>, { now, hostOfflineAfterMs }: ViewDeps): boolean =>
  now().getTime() - row.lastSeenAt.getTime() <= hostOfflineAfterMs;

/** Why a host that is online is not forgotten. Also said of a worker that has just stopped. */
export function whyNotForgotten(
  { lastSeenAt }: Pick<HostRow, 'lastSeenAt'>,
  { now, hostOfflineAfterMs }: ViewDeps,
): string {
  const heardSeconds = Math.round((now().getTime() - lastSeenAt.getTime()) / SECOND_MS);
  const silentSeconds = Math.ceil(hostOfflineAfterMs / SECOND_MS);
  return `its worker is running, it was heard of ${heardSeconds} s ago: stop it, and forget it once nothing was heard of it for ${silentSeconds} s`;
}

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

/** A host with what is wanted there and its drift. */
export async function hostDetail(row: HostRow, deps: ViewDeps & Pick<Dependencies, 'database'>): Promise<HostDetail> {
  const desired = await desiredOn(deps.database, row.name);
  const { missing, corrupt, repairWaits, files } = await lostOn(deps.database, row.name, MAX_FILES_NAMED);
  const { extra = 0, old = 0, files: surplus = [] } = row.surplus;
  const drift = {
    comparedAt: momentOrNull(row.inventoryAt),
    ...{ missing, corrupt, extra, old, repairWaits },
    files: [...files, ...surplus.map((file) => ({ ...file, downloadId: null, repairWaits: false }))],
  };
  return { ...hostView(row, deps), desired: desired.map(desiredView), drift };
}

type DesiredModel = HostDetail['desired'][number];

const desiredView = (row: DesiredRow): DesiredModel => ({
  model: row.model,
  version: row.version,
  state: desiredState(row),
  files: row.files,
  presentFiles: row.presentFiles,
  decidedAt: momentOf(row.decidedAt),
  rolloutId: row.rolloutId,
});

/** The worst of its files says how a version stands. */
function desiredState(row: DesiredRow): DesiredModel['state'] {
  if (row.failedFiles > 0) return 'failed';
  if (row.cancelledFiles > 0) return 'cancelled';
  if (row.pausedFiles > 0) return 'paused';
  return row.presentFiles === row.files ? 'present' : 'on_its_way';
}
