import { CHARTS } from '../data/charts.ts';
import { LazyCharts } from '../charts/lazy-charts.tsx';
import { useHealth, useSummary } from '../data/queries.ts';
import { DataTable } from '../parts/tables/data-table.tsx';
import { useFilters } from '../parts/tables/filters.tsx';
import { bytesText, countText, durationText, percentText, When } from '../parts/text/format.tsx';
import { EmptyState, PageHead, Section, Skeleton } from '../parts/page.tsx';
import { ProblemBox } from '../parts/problem.tsx';
import { StateMark, untried } from '../parts/marks/state-mark.tsx';

const WINDOWS = ['1h', '6h', '24h', '7d', '30d'] as const;

export function Metrics() {
  const { textOf, change } = useFilters();
  const window = textOf('window') ?? '24h';
  return (
    <>
      <PageHead
        title="Metrics"
        actions={
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
        }
      />
      <LazyCharts charts={CHARTS} window={window} />
      <Layers window={window} />
      <Gateways window={window} />
    </>
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
