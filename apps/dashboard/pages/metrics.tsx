import { useMemo } from 'react';
import type { Rollout } from '#contracts/http/rollouts/rollout';
import { parseDuration } from '#core/units';
import { api } from '../data/api.ts';
import { CHARTS } from '../data/charts.ts';
import { ChartCard } from '../charts/chart-card.tsx';
import { useHealth, useLive, useSummary } from '../data/queries.ts';
import { DataTable } from '../parts/tables/data-table.tsx';
import { useFilters } from '../parts/tables/filters.tsx';
import { bytesText, countText, durationText, percentText, useNow, When } from '../parts/text/format.tsx';
import { EmptyState, PageHead, Section, Skeleton } from '../parts/page.tsx';
import { ProblemBox } from '../parts/problem.tsx';
import { RolloutLink } from '../parts/marks/rollout-bits.tsx';
import { StateMark, untried } from '../parts/marks/state-mark.tsx';

const WINDOWS = ['1h', '6h', '24h', '7d', '30d'] as const;

/** Rollouts that are looked at for marks, the newest. */
const MARKED = 200;
/** More lines than this would hide what the charts show. */
const NAMED = 12;

export function Metrics() {
  const { textOf, change } = useFilters();
  const window = textOf('window') ?? '24h';
  const isCompared = textOf('compare') === 'before';
  const begun = useBegunRollouts(window);
  const times = begun
    .slice(0, NAMED)
    .map(({ createdAt }) => createdAt)
    .join(' ');
  // The same times are the same marks: a chart is drawn again only for others.
  const marks = useMemo(
    () =>
      times
        .split(' ')
        .filter(Boolean)
        .map((at) => ({ at })),
    [times],
  );
  return (
    <>
      <PageHead
        title="Metrics"
        actions={
          <>
            <label className="inline">
              <input
                type="checkbox"
                checked={isCompared}
                onChange={({ target }) => change('compare', target.checked ? ['before'] : [])}
              />
              Compare with the period before
            </label>
            <label className="inline">
              Window
              <select className="box" value={window} onChange={({ target }) => change('window', [target.value])}>
                {WINDOWS.map((each) => (
                  <option key={each} value={each}>
                    last {each}
                  </option>
                ))}
              </select>
            </label>
          </>
        }
      />
      {begun.length > 0 && <BegunRollouts rollouts={begun} />}
      <div className="columns even">
        {CHARTS.map((chart) => (
          <ChartCard key={chart} chart={chart} window={window} isCompared={isCompared} marks={marks} />
        ))}
      </div>
      <Layers window={window} />
      <Gateways window={window} />
    </>
  );
}

/** Rollouts that began in the window, newest first. */
function useBegunRollouts(window: string): readonly Rollout[] {
  const { data } = useLive(['rollouts', 'marks'], () => api.listRollouts({ limit: MARKED }));
  const now = useNow();
  const length = WINDOWS.some((each) => each === window) ? parseDuration(window) : 0;
  return data?.rollouts.filter(({ createdAt }) => now - Date.parse(createdAt) < length) ?? [];
}

/** The lines of the charts, in words. */
function BegunRollouts({ rollouts }: { readonly rollouts: readonly Rollout[] }) {
  const left = rollouts.length - NAMED;
  return (
    <p className="row">
      <span className="faint">
        Dotted lines are rollouts that began{left > 0 && `, the newest of ${countText(rollouts.length)}`}:
      </span>
      {rollouts.slice(0, NAMED).map((rollout) => (
        <span key={rollout.id} className="whole">
          <RolloutLink rollout={rollout} /> <When at={rollout.createdAt} />
        </span>
      ))}
    </p>
  );
}
function Layers({ window }: { readonly window: string }) {
  const { data, error } = useHealth(window);
  return (
    <Section
      title="Health of the layers"
      beside={data !== undefined && <StateMark state={data.status} note={data.reason} />}
    >
      {error !== null && <ProblemBox error={error} />}
      {data === undefined ? (
        error === null && <Skeleton />
      ) : (
        <DataTable
          caption="Health of the layers"
          rows={data.layers}
          idOf={({ layer }) => layer}
          columns={[
            { key: 'layer', head: 'Layer', cell: ({ layer }) => layer },
            {
              key: 'status',
              head: 'Status',
              cell: ({ status, reason }) => <StateMark state={status} note={reason} {...untried(status)} />,
            },
            { key: 'tries', head: 'Tries', isNumber: true, cell: ({ tries }) => countText(tries) },
            { key: 'rate', head: 'Success', isNumber: true, cell: ({ successRate }) => percentText(successRate) },
            {
              key: 'ok',
              head: 'Last success',
              isExtra: true,
              cell: ({ lastSuccessAt }) => <When at={lastSuccessAt} />,
            },
            {
              key: 'bad',
              head: 'Last failure',
              isExtra: true,
              cell: ({ lastFailureAt }) => <When at={lastFailureAt} />,
            },
            {
              key: 'error',
              head: 'Last error',
              cell: ({ lastError }) => <span className="error-text">{lastError}</span>,
            },
          ]}
        />
      )}
    </Section>
  );
}

function Gateways({ window }: { readonly window: string }) {
  const { data, error } = useSummary(window);
  if (data === undefined) return error === null ? <Skeleton lines={8} /> : <ProblemBox error={error} />;
  return (
    <Section
      title="Sources in numbers"
      beside={
        <span className="faint">
          served from the store: {percentText(data.cacheEffectiveness)} of the downloads that succeeded
        </span>
      }
    >
      <DataTable
        caption="Tries by source"
        rows={data.gateways}
        idOf={({ layer, gateway }) => `${layer} ${gateway}`}
        empty={<EmptyState title="Nothing was tried in this time." />}
        columns={[
          { key: 'gateway', head: 'Source', cell: ({ gateway }) => gateway },
          { key: 'layer', head: 'Layer', cell: ({ layer }) => layer },
          { key: 'tries', head: 'Tries', isNumber: true, cell: ({ tries }) => countText(tries) },
          { key: 'rate', head: 'Success', isNumber: true, cell: ({ successRate }) => percentText(successRate) },
          { key: 'p50', head: 'p50', isNumber: true, cell: ({ p50Ms }) => durationText(p50Ms) },
          { key: 'p95', head: 'p95', isNumber: true, cell: ({ p95Ms }) => durationText(p95Ms) },
          { key: 'bytes', head: 'Bytes', isNumber: true, cell: ({ bytes }) => bytesText(bytes) },
        ]}
      />
    </Section>
  );
}
