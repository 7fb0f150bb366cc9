import type { Rollout } from '#contracts/http/rollouts/rollout';
import { api } from '../../data/api.ts';
import { useLive } from '../../data/queries.ts';
import { DataTable } from '../../parts/tables/data-table.tsx';
import { bytesText, countText, durationText, percentText } from '../../parts/text/format.tsx';
import { EmptyState, Skeleton } from '../../parts/page.tsx';
import { ProblemBox } from '../../parts/problem.tsx';

/** Where the bytes of a rollout came from. */
export function RolloutSourcesTab({ rollout: { id } }: { readonly rollout: Rollout }) {
  const { data, error, refetch } = useLive(['rollout', id, 'sources'], () => api.listRolloutSources(id));
  if (data === undefined)
    return error === null ? <Skeleton /> : <ProblemBox error={error} retry={() => void refetch()} />;
  const total = data.sources.reduce((sum, { bytes }) => sum + bytes, 0);
  return (
    <DataTable
      caption="Sources of the rollout, by bytes"
      rows={data.sources}
      idOf={({ layer, source }) => `${layer} ${source}`}
      empty={<EmptyState title="Nothing was asked of a source yet." />}
      columns={[
        { key: 'source', head: 'Source', cell: ({ source }) => source },
        { key: 'layer', head: 'Layer', cell: ({ layer }) => layer },
        { key: 'bytes', head: 'Bytes', isNumber: true, cell: ({ bytes }) => bytesText(bytes) },
        {
          key: 'share',
          head: 'Share',
          isNumber: true,
          cell: ({ bytes }) => percentText(total === 0 ? null : bytes / total),
        },
        { key: 'tries', head: 'Tries', isNumber: true, cell: ({ tries }) => countText(tries) },
        {
          key: 'success',
          head: 'Success',
          isNumber: true,
          cell: ({ tries, successes }) => percentText(tries === 0 ? null : successes / tries),
        },
        { key: 'p95', head: 'p95 of a try', isNumber: true, cell: ({ p95Ms }) => durationText(p95Ms) },
        {
          key: 'error',
          head: 'Last failure',
          isExtra: true,
          cell: ({ lastError }) => <span className="error-text">{lastError}</span>,
        },
      ]}
    />
  );
}
