import { Link, useParams } from 'react-router';
import { api } from '../../data/api.ts';
import { useLive } from '../../data/queries.ts';
import { DataTable } from '../../parts/tables/data-table.tsx';
import { countText, When } from '../../parts/text/format.tsx';
import { EmptyState, Facts, PageHead, Section, Skeleton } from '../../parts/page.tsx';
import { ProblemBox } from '../../parts/problem.tsx';
import { StackedBar } from '../../parts/marks/progress-bar.tsx';
import { StateMark } from '../../parts/marks/state-mark.tsx';

/** How far an action on many downloads is, and what it left alone. */
export function BulkActionPage() {
  const { id = '' } = useParams();
  const { data, error, refetch } = useLive(['downloads', 'bulk', id], () => api.waitForBulkAction(id, 0));
  if (data === undefined)
    return (
      <>
        <PageHead title="Bulk action" />
        {error === null ? <Skeleton /> : <ProblemBox error={error} retry={() => void refetch()} />}
      </>
    );
  const { action, state, counts, createdBy, createdAt, endedAt, skipped } = data;
  return (
    <>
      <PageHead
        title={`Bulk action: ${action}`}
        beside={<StateMark state={state} />}
        lead={
          <>
            By {createdBy}, <When at={createdAt} />
          </>
        }
      />
      <Section title="Progress">
        <StackedBar
          of={counts.matched}
          text={`${counts.matched - counts.pending} of ${counts.matched} downloads settled`}
          parts={[
            { tone: 'ok', label: 'done', count: counts.done },
            { tone: 'off', label: 'unchanged or skipped', count: counts.unchanged + counts.skipped },
            { tone: 'bad', label: 'failed', count: counts.failed },
            { tone: 'waiting', label: 'pending', count: counts.pending },
          ]}
        />
        <Facts
          facts={[
            ['Matched', countText(counts.matched)],
            ['Done', countText(counts.done)],
            ['Stood so already', countText(counts.unchanged)],
            ['Skipped', countText(counts.skipped)],
            ['Failed', countText(counts.failed)],
            ['Ended', <When key="ended" at={endedAt} />],
          ]}
        />
      </Section>
      <Section title="Skipped and failed">
        <DataTable
          caption="Downloads that were left alone"
          rows={skipped}
          idOf={(item) => item.id}
          empty={<EmptyState title="Nothing was skipped." />}
          columns={[
            {
              key: 'file',
              head: 'File',
              cell: (item) => <Link to={`/downloads/${item.id}`}>{item.file ?? item.id}</Link>,
            },
            { key: 'host', head: 'Host', cell: ({ host }) => host ?? 'the pool' },
            { key: 'state', head: 'State', cell: (item) => <StateMark state={item.state} /> },
            { key: 'reason', head: 'Why', cell: ({ reason }) => reason },
          ]}
        />
      </Section>
    </>
  );
}
