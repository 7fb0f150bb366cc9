import { Link } from 'react-router';
import { useModels } from '../../data/queries.ts';
import { DataTable } from '../../parts/tables/data-table.tsx';
import { FilterBar, useFilters } from '../../parts/tables/filters.tsx';
import { several, When } from '../../parts/text/format.tsx';
import { EmptyState, PageHead, Skeleton } from '../../parts/page.tsx';
import { ProblemBox } from '../../parts/problem.tsx';

export function Models() {
  const { data, error, refetch } = useModels();
  const { textOf, valuesOf } = useFilters();
  const text = textOf('q')?.toLowerCase() ?? '';
  const types = valuesOf('type');
  const shown =
    data?.filter(({ name, type }) => name.includes(text) && (types.length === 0 || types.includes(type))) ?? [];
  return (
    <>
      <PageHead
        title="Models"
        lead="A model has versions; a version is a set of files with digests, published once and never changed."
      />
      <FilterBar
        page="models"
        keys={[
          { key: 'q', label: 'Part of the name', isFree: true, isSingle: true },
          { key: 'type', label: 'Type', values: [...new Set(data?.map(({ type }) => type))] },
        ]}
        count={data === undefined ? '' : several(shown.length, 'model')}
      />
      {error !== null && <ProblemBox error={error} retry={() => void refetch()} />}
      {data === undefined ? (
        error === null && <Skeleton lines={8} />
      ) : (
        <DataTable
          caption="Models, by name"
          rows={shown}
          idOf={({ name }) => name}
          empty={
            <EmptyState
              title={data.length === 0 ? 'There is no model yet.' : 'No model matches the filter.'}
              line="haulier model add whisper-base --hf onnx-community/whisper-base"
            >
              Publish one from a hub, from IPFS or from a folder of this machine.
            </EmptyState>
          }
          columns={[
            {
              key: 'name',
              head: 'Model',
              cell: ({ name }) => <Link to={`/models/${encodeURIComponent(name)}`}>{name}</Link>,
            },
            { key: 'type', head: 'Type', cell: ({ type }) => type },
            { key: 'current', head: 'Current version', cell: ({ currentVersion }) => currentVersion ?? '–' },
            { key: 'pinned', head: 'Pinned', isExtra: true, cell: ({ pinnedVersion }) => pinnedVersion ?? '–' },
            {
              key: 'newer',
              head: 'Newer version',
              cell: ({ newerVersion }) =>
                newerVersion === null ? '–' : <span className="tone-warn">{newerVersion}</span>,
            },
            {
              key: 'created',
              head: 'First published',
              isExtra: true,
              cell: ({ createdAt }) => <When at={createdAt} />,
            },
          ]}
        />
      )}
    </>
  );
}
