import { Link } from 'react-router';
import { ROLLOUT_HOST_STATES } from '#core/rollout/host-state';
import type { Rollout } from '#contracts/http/rollouts/rollout';
import type { RolloutHost } from '#contracts/http/rollouts/rollout-lists';
import { api } from '../../data/api.ts';
import { useLive } from '../../data/queries.ts';
import { DataTable, type Column } from '../../parts/tables/data-table.tsx';
import { FilterBar, useFilters } from '../../parts/tables/filters.tsx';
import { percentText, rateText, several, When } from '../../parts/text/format.tsx';
import { HostGrid } from '../../parts/marks/host-grid.tsx';
import { EmptyState, Section, Skeleton } from '../../parts/page.tsx';
import { Pages } from '../../parts/tables/pages.tsx';
import { ProblemBox } from '../../parts/problem.tsx';
import { ShareBar } from '../../parts/marks/progress-bar.tsx';
import { StateMark, toneOf } from '../../parts/marks/state-mark.tsx';

/** Every host as a square, and a table of those that the filter leaves. */
export function RolloutHostsTab({ rollout }: { readonly rollout: Rollout }) {
  const { id } = rollout;
  const { valuesOf, textOf, change } = useFilters();
  const states = useLive(['rollout', id, 'states'], () => api.listRolloutHostStates(id));
  const filter = {
    state: valuesOf('state').length > 0 ? valuesOf('state') : undefined,
    reason: textOf('reason'),
    q: textOf('q'),
    cursor: textOf('cursor'),
  };
  const list = useLive(['rollout', id, 'hosts', filter], () => api.listRolloutHosts(id, filter));
  return (
    <>
      <Section title="All hosts">
        {states.data === undefined ? (
          <Skeleton />
        ) : (
          <HostGrid
            hosts={states.data.hosts}
            onState={(state) => change('state', [state])}
            onHost={(name) => change('q', [name])}
          />
        )}
      </Section>
      <FilterBar
        page="hosts of the rollout"
        keys={[
          { key: 'state', label: 'State', values: ROLLOUT_HOST_STATES },
          { key: 'reason', label: 'Reason', isFree: true, isSingle: true },
          { key: 'q', label: 'Part of the name', isFree: true, isSingle: true },
        ]}
        views={[{ name: 'Failed', query: 'state=failed' }]}
        count={list.data === undefined ? '' : `${several(list.data.hosts.length, 'host')} on this page`}
      />
      {list.error !== null && <ProblemBox error={list.error} retry={() => void list.refetch()} />}
      {list.data === undefined ? (
        <Skeleton lines={8} />
      ) : (
        <DataTable
          caption="Hosts of the rollout, by name"
          rows={list.data.hosts}
          idOf={({ host }) => host}
          columns={COLUMNS}
          empty={<EmptyState title="No host matches the filter." />}
        />
      )}
      {list.data !== undefined && <Pages nextCursor={list.data.nextCursor} shown="" />}
    </>
  );
}

const shareOf = ({ bytes, totalBytes, state }: RolloutHost): number | null =>
  state === 'done' ? 1 : totalBytes === 0 ? null : Math.min(1, bytes / totalBytes);

const COLUMNS: readonly Column<RolloutHost>[] = [
  { key: 'host', head: 'Host', cell: ({ host }) => <Link to={`/hosts/${encodeURIComponent(host)}`}>{host}</Link> },
  {
    key: 'state',
    head: 'State',
    cell: ({ state, alreadyPresent }) => (
      <StateMark state={state} note={alreadyPresent ? 'had everything before' : undefined} />
    ),
  },
  { key: 'site', head: 'Site', isExtra: true, cell: ({ site }) => site },
  { key: 'wave', head: 'Wave', isExtra: true, cell: ({ wave }) => wave ?? '–' },
  {
    key: 'percent',
    head: 'There',
    cell: (host) => (
      <ShareBar share={shareOf(host)} tone={toneOf(host.state)} text={`${host.host}: ${percentText(shareOf(host))}`} />
    ),
  },
  {
    key: 'rate',
    head: 'Rate',
    isNumber: true,
    isExtra: true,
    cell: ({ bytesPerSecond, endedAt }) => (endedAt === null ? rateText(bytesPerSecond) : '–'),
  },
  {
    key: 'reason',
    head: 'Why',
    cell: ({ reason, message, host }) =>
      reason === null ? (
        ''
      ) : (
        <Link className="error-text" to={`/downloads?host=${encodeURIComponent(host)}&status=failed`}>
          {reason}: {message}
        </Link>
      ),
  },
  { key: 'updated', head: 'Updated', isExtra: true, cell: ({ updatedAt }) => <When at={updatedAt} /> },
];
