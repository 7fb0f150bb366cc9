import { Link } from 'react-router';
import type { Rollout } from '#contracts/http/rollouts/rollout';
import { OVERVIEW_CHARTS, OVERVIEW_HEALTH_WINDOW, OVERVIEW_WINDOW } from '#contracts/http/overview-asks';
import {
  useActiveRollouts,
  useFinishedRollouts,
  useHealth,
  useHostFacets,
  useStatus,
  useSummary,
} from '../../data/queries.ts';
import { ChartCard } from '../../charts/chart-card.tsx';
import { DataTable } from '../../parts/tables/data-table.tsx';
import { bytesText, countText, durationText, percentText, rateText, useNow, When } from '../../parts/text/format.tsx';
import { EmptyState, PageHead, Section, Skeleton } from '../../parts/page.tsx';
import { ProblemBox } from '../../parts/problem.tsx';
import { etaMsOf, failedOf, RolloutBar, RolloutLink, tookText } from '../../parts/marks/rollout-bits.tsx';
import { StateMark } from '../../parts/marks/state-mark.tsx';
import { Attention } from './overview-attention.tsx';

export function Overview() {
  const status = useStatus();
  const facets = useHostFacets();
  const active = useActiveRollouts();
  const finished = useFinishedRollouts();
  const health = useHealth(OVERVIEW_HEALTH_WINDOW);
  const problem = [status, facets, active, finished].find(({ data, error }) => data === undefined && error !== null);
  const rollouts = active.data?.rollouts ?? [];
  return (
    <>
      <PageHead
        title="Overview"
        beside={status.data !== undefined && <StateMark state={status.data.status} />}
        actions={
          <Link className="button" to="/rollouts/new">
            New rollout
          </Link>
        }
      />
      {problem !== undefined && <ProblemBox error={problem.error} retry={() => void problem.refetch()} />}
      <Tiles rollouts={rollouts} />
      <div className="columns">
        <Section title="Active rollouts" beside={<Link to="/rollouts">All rollouts</Link>}>
          {active.data === undefined ? active.error === null && <Skeleton /> : <ActiveRollouts rollouts={rollouts} />}
        </Section>
        <Section title="Needs attention">
          <Attention rollouts={active.data?.rollouts} status={status.data} health={health.data} hosts={facets.data} />
        </Section>
      </div>
      <div className="columns even">
        {OVERVIEW_CHARTS.map((chart) => (
          <ChartCard key={chart} chart={chart} window={OVERVIEW_WINDOW} />
        ))}
      </div>
      <Section title="Finished rollouts" beside={<Link to="/rollouts?tab=finished">All finished</Link>}>
        {finished.data === undefined ? (
          finished.error === null && <Skeleton />
        ) : (
          <FinishedRollouts rollouts={finished.data.rollouts} />
        )}
      </Section>
    </>
  );
}

function Tiles({ rollouts }: { readonly rollouts: readonly Rollout[] }) {
  const { data: hosts } = useHostFacets();
  const { data: day } = useSummary(OVERVIEW_WINDOW);
  const failing = rollouts.filter((rollout) => failedOf(rollout) > 0).length;
  const perSecond = rollouts.reduce((sum, { bytes }) => sum + bytes.perSecond, 0);
  return (
    <div className="tiles">
      <Link className="tile" to="/rollouts">
        <span className="tile-name">Active rollouts</span>
        <strong>{countText(rollouts.length)}</strong>
        <span className={failing > 0 ? 'tone-bad' : 'faint'}>
          {failing > 0 ? `${failing} with failures` : 'none with failures'}
        </span>
      </Link>
      <Link className="tile" to={hosts !== undefined && hosts.offline > 0 ? '/hosts?status=offline' : '/hosts'}>
        <span className="tile-name">Hosts online</span>
        <strong>{hosts === undefined ? '–' : `${countText(hosts.online)} / ${countText(hosts.total)}`}</strong>
        <span className={hosts !== undefined && hosts.offline > 0 ? 'tone-warn' : 'faint'}>
          {countText(hosts?.offline)} offline
        </span>
      </Link>
      <Link className="tile" to="/charts">
        <span className="tile-name">Successful tries, 24 h</span>
        <strong>{percentText(day?.total.successRate)}</strong>
        <span className="faint">of {countText(day?.total.tries)} tries</span>
      </Link>
      <Link className="tile" to="/downloads?status=in_progress,resuming">
        <span className="tile-name">Throughput of rollouts</span>
        <strong>{rateText(perSecond)}</strong>
        <span className="faint">{bytesText(day?.total.bytes)} in 24 h</span>
      </Link>
    </div>
  );
}

function ActiveRollouts({ rollouts }: { readonly rollouts: readonly Rollout[] }) {
  return (
    <DataTable
      caption="Active rollouts"
      rows={rollouts}
      idOf={({ id }) => id}
      empty={
        <EmptyState
          title="No rollout is active."
          line="haulier deploy whisper-base@1.2 --hosts gpu=true --threshold 98% --wait"
        >
          A rollout sends a model to the hosts that a selector matches, and says whether enough of them have it.
        </EmptyState>
      }
      columns={[
        { key: 'name', head: 'Rollout', cell: (rollout) => <RolloutLink rollout={rollout} /> },
        { key: 'state', head: 'State', cell: ({ state, message }) => <StateMark state={state} note={message} /> },
        { key: 'progress', head: 'Progress', cell: (rollout) => <RolloutBar rollout={rollout} /> },
        {
          key: 'hosts',
          head: 'Hosts',
          isNumber: true,
          cell: ({ counts }) => `${countText(counts.succeeded)}/${countText(counts.targeted)}`,
        },
        {
          key: 'failed',
          head: 'Failed',
          isNumber: true,
          isExtra: true,
          cell: (rollout) => <Failed count={failedOf(rollout)} />,
        },
        { key: 'eta', head: 'ETA', isNumber: true, isExtra: true, cell: (rollout) => durationText(etaMsOf(rollout)) },
      ]}
    />
  );
}

const Failed = ({ count }: { readonly count: number }) => (
  <span className={count > 0 ? 'tone-bad' : 'faint'}>{countText(count)}</span>
);

function FinishedRollouts({ rollouts }: { readonly rollouts: readonly Rollout[] }) {
  const now = useNow();
  return (
    <DataTable
      caption="The last finished rollouts"
      rows={rollouts}
      idOf={({ id }) => id}
      empty={<EmptyState title="No rollout has finished yet." />}
      columns={[
        { key: 'name', head: 'Rollout', cell: (rollout) => <RolloutLink rollout={rollout} /> },
        { key: 'state', head: 'State', cell: ({ state, message }) => <StateMark state={state} note={message} /> },
        {
          key: 'hosts',
          head: 'Hosts',
          isNumber: true,
          cell: ({ counts }) => `${countText(counts.succeeded)}/${countText(counts.targeted)}`,
        },
        { key: 'took', head: 'Took', isNumber: true, isExtra: true, cell: (rollout) => tookText(rollout, now) },
        { key: 'by', head: 'By', isExtra: true, cell: ({ createdBy }) => createdBy },
        { key: 'ended', head: 'Ended', cell: ({ endedAt }) => <When at={endedAt} /> },
      ]}
    />
  );
}
