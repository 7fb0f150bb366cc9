import { Link } from 'react-router';
import { isFinalRollout, ROLLOUT_STATES } from '#core/rollout/rollout-state';
import { api } from '../../data/api.ts';
import { useLive, useModels } from '../../data/queries.ts';
import { useMay } from '../../data/session/session.ts';
import { DataTable } from '../../parts/tables/data-table.tsx';
import { FilterBar, useFilters } from '../../parts/tables/filters.tsx';
import { countText, several, useNow, When } from '../../parts/text/format.tsx';
import { EmptyState, PageHead, Skeleton } from '../../parts/page.tsx';
import { Pages } from '../../parts/tables/pages.tsx';
import { ProblemBox } from '../../parts/problem.tsx';
import { failedOf, RolloutBar, RolloutLink, tookText } from '../../parts/marks/rollout-bits.tsx';
import { StateMark } from '../../parts/marks/state-mark.tsx';
import { Tabs, useTab } from '../../parts/tabs.tsx';

const TABS = [
  { key: 'active', label: 'Active' },
  { key: 'finished', label: 'Finished' },
  { key: 'failed', label: 'Failed' },
  { key: 'all', label: 'All' },
] as const;

const STATES_OF: Readonly<Record<string, readonly string[] | undefined>> = {
  active: ROLLOUT_STATES.filter((state) => !isFinalRollout(state)),
  finished: ROLLOUT_STATES.filter(isFinalRollout),
  failed: ['failed', 'timed_out', 'succeeded_with_failures'],
};

export function Rollouts() {
  const tab = useTab(TABS);
  const { valuesOf, textOf } = useFilters();
  const { data: models } = useModels();
  const mayWrite = useMay('write');
  const states = valuesOf('state');
  const filter = {
    state: states.length > 0 ? states : STATES_OF[tab],
    model: textOf('model'),
    cursor: textOf('cursor'),
  };
  const { data, error, refetch } = useLive(['rollouts', filter], () => api.listRollouts(filter));
  const now = useNow();
  return (
    <>
      <PageHead
        title="Rollouts"
        actions={
          mayWrite && (
            <Link className="button" to="/rollouts/new">
              New rollout
            </Link>
          )
        }
      />
      <Tabs tabs={TABS} label="Rollouts by state" />
      <FilterBar
        page="rollouts"
        keys={[
          { key: 'state', label: 'State', values: ROLLOUT_STATES },
          { key: 'model', label: 'Model', values: models?.map(({ name }) => name), isFree: true, isSingle: true },
        ]}
        count={data === undefined ? '' : `${several(data.rollouts.length, 'rollout')} on this page`}
      />
      {error !== null && <ProblemBox error={error} retry={() => void refetch()} />}
      {data === undefined ? (
        error === null && <Skeleton lines={8} />
      ) : (
        <DataTable
          caption="Rollouts, newest first"
          rows={data.rollouts}
          idOf={({ id }) => id}
          empty={
            <EmptyState
              title={`No rollout ${{ active: 'is active', failed: 'has failed' }[tab] ?? 'matches'}.`}
              line="haulier deploy whisper-base@1.2 --hosts gpu=true --threshold 98% --wait"
            >
              The command line, a pipeline or the button above starts one.
            </EmptyState>
          }
          columns={[
            { key: 'name', head: 'Rollout', cell: (rollout) => <RolloutLink rollout={rollout} /> },
            { key: 'state', head: 'State', cell: ({ state, message }) => <StateMark state={state} note={message} /> },
            {
              key: 'selector',
              head: 'Hosts that match',
              isExtra: true,
              cell: ({ selector }) => <code>{selector || 'all'}</code>,
            },
            { key: 'progress', head: 'Progress', cell: (rollout) => <RolloutBar rollout={rollout} /> },
            {
              key: 'ok',
              head: 'OK',
              isNumber: true,
              cell: ({ counts }) => `${countText(counts.succeeded)}/${countText(counts.targeted)}`,
            },
            { key: 'failed', head: 'Failed', isNumber: true, cell: (rollout) => countText(failedOf(rollout)) },
            { key: 'started', head: 'Created', isExtra: true, cell: ({ createdAt }) => <When at={createdAt} /> },
            { key: 'took', head: 'Took', isNumber: true, isExtra: true, cell: (rollout) => tookText(rollout, now) },
            { key: 'by', head: 'By', isExtra: true, cell: ({ createdBy }) => createdBy },
          ]}
        />
      )}
      {data !== undefined && <Pages nextCursor={data.nextCursor} shown="" />}
    </>
  );
}
