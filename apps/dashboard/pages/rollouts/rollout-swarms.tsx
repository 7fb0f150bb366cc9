import { Link } from 'react-router';
import type { Rollout } from '#contracts/http/rollouts/rollout';
import { BOTTLENECK_TEXT } from '#core/swarm/swarm-bound';
import { api } from '../../data/api.ts';
import { useLive } from '../../data/queries.ts';
import { EmptyState, Skeleton } from '../../parts/page.tsx';
import { ProblemBox } from '../../parts/problem.tsx';
import { DataTable } from '../../parts/tables/data-table.tsx';
import { bytesText, countText, durationText } from '../../parts/text/format.tsx';
import { copiesText, fileTitle, swarmPath } from '../../parts/text/swarm-words.ts';

/** How hosts fetched the files of a rollout from each other; the numbers stay when the swarms are gone. */
export function RolloutSwarmsTab({ rollout: { id } }: { readonly rollout: Rollout }) {
  const { data, error, refetch } = useLive(['rollout', id, 'swarms'], () => api.listRolloutSwarms(id));
  if (data === undefined)
    return error === null ? <Skeleton /> : <ProblemBox error={error} retry={() => void refetch()} />;
  const { allowed } = data.originCopies;
  return (
    <DataTable
      caption="Files that hosts of the rollout fetched from each other"
      rows={data.swarms}
      idOf={({ cid }) => cid}
      empty={
        <EmptyState title="No host has fetched a file from another one.">
          Enrolled hosts share files of at least 2 MiB that have a CID.
        </EmptyState>
      }
      columns={[
        { key: 'file', head: 'File', cell: (swarm) => <Link to={swarmPath(swarm.cid)}>{fileTitle(swarm)}</Link> },
        { key: 'size', head: 'Size', isNumber: true, cell: ({ sizeBytes }) => bytesText(sizeBytes) },
        {
          key: 'hosts',
          head: 'Have it',
          isNumber: true,
          cell: ({ doneHosts, hosts }) => `${countText(doneHosts)} of ${countText(hosts)}`,
        },
        {
          key: 'copies',
          head: 'From the origin',
          isNumber: true,
          cell: ({ originCopies }) => copiesText(originCopies, allowed),
        },
        {
          key: 'sites',
          head: 'Copies by site',
          isExtra: true,
          cell: ({ sites }) => sites.map(({ site, copies }) => `${site || 'no site'} ${copiesText(copies)}`).join(', '),
        },
        { key: 'time', head: 'Time', isNumber: true, cell: ({ elapsedMs }) => durationText(elapsedMs) },
        {
          key: 'bound',
          head: '× least time',
          isNumber: true,
          cell: ({ timesBound }) => (timesBound === null ? '–' : `${timesBound.toFixed(2)}`),
        },
        {
          key: 'limit',
          head: 'Limited by',
          cell: ({ bottleneck }) => (bottleneck === null ? '–' : BOTTLENECK_TEXT[bottleneck]),
        },
      ]}
    />
  );
}
