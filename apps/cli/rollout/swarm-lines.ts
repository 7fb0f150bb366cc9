import type { RolloutSwarms } from '#contracts/http/rollouts/rollout-swarms';
import { BOTTLENECK_TEXT } from '#core/swarm/swarm-bound';
import { formatBytes, formatDuration } from '#core/units';
import { formatTable } from '../terminal/table.ts';

/** How hosts shared the files of a rollout: copies from the origin, the time, and what limited it. Empty where they shared none. */
export function swarmTableLines({ swarms, originCopies }: RolloutSwarms, columns: number | undefined): string[] {
  if (swarms.length === 0) return [];
  const rows = swarms.map(({ cid, files, sizeBytes, hosts, doneHosts, sites, ...numbers }) => [
    files[0]?.path ?? cid,
    formatBytes(sizeBytes),
    `${doneHosts}/${hosts}`,
    `${numbers.originCopies.toFixed(2)} of ${originCopies.allowed}`,
    sites.length < 2 ? '' : sites.map(({ site, copies }) => `${site || 'no site'} ${copies.toFixed(2)}`).join(', '),
    formatDuration(numbers.elapsedMs),
    numbers.timesBound === null ? '' : `${numbers.timesBound.toFixed(2)} x`,
    numbers.bottleneck === null ? '' : BOTTLENECK_TEXT[numbers.bottleneck],
  ]);
  const head = ['file', 'size', 'hosts', 'copies from the origin', 'copies by site', 'time', 'bound', 'limited by'];
  return formatTable(head, rows, [1, 2, 3, 5, 6], columns, [0]).split('\n');
}
