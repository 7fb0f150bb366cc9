import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import type { Chart, MetricChart } from '#contracts/http/metrics';
import { MINUTE_MS } from '#core/units';
import { api } from '../data/api.ts';
import { exactText } from '../parts/text/format.tsx';
import { EmptyState, Section, Skeleton } from '../parts/page.tsx';
import { ProblemBox } from '../parts/problem.tsx';
import { csvOf } from './csv.ts';
import { Plot } from './plot.tsx';
import { valueText, type Unit } from './units.ts';

const TITLES: Readonly<Record<MetricChart, string>> = {
  bytes_per_second: 'Bytes per second by source',
  success_rate: 'Successful tries by source',
  time_to_ready: 'Time from request to file',
  queue: 'Downloads that wait and run',
  failures: 'Failed tries by reason',
  fallback_depth: 'How deep the chain had to go',
};

const STACKED: readonly MetricChart[] = ['bytes_per_second', 'failures', 'fallback_depth'];

/** One chart with its summary, its table, and its numbers as a file. */
export function ChartCard({ chart, window }: { readonly chart: MetricChart; readonly window: string }) {
  const [asTable, setAsTable] = useState(false);
  const { data, error, refetch } = useQuery({
    queryKey: ['metrics', 'chart', chart, window],
    queryFn: () => api.getChart(chart, window),
    refetchInterval: MINUTE_MS,
  });
  const beside = data !== undefined && data.series.length > 0 && (
    <span className="row">
      <button type="button" className="quiet" aria-pressed={asTable} onClick={() => setAsTable(!asTable)}>
        {asTable ? 'Show as chart' : 'Show as table'}
      </button>
      <a href={csvOf(data)} download={`${chart}-${window}.csv`}>
        CSV
      </a>
    </span>
  );
  return (
    <Section title={TITLES[chart]} beside={beside}>
      {data === undefined && error !== null && <ProblemBox error={error} retry={() => void refetch()} />}
      {data === undefined && error === null && <Skeleton lines={8} />}
      {data !== undefined && <ChartBody data={data} asTable={asTable} />}
    </Section>
  );
}

function ChartBody({ data, asTable }: { readonly data: Chart; readonly asTable: boolean }) {
  if (!data.series.some(({ values }) => values.some((value) => value !== null && value > 0)))
    return <EmptyState title="Nothing was measured in this time." />;
  return (
    <div className="chart-frame">
      <p className="faint">{summaryOf(data)}</p>
      {asTable ? (
        <ChartTable data={data} />
      ) : (
        <Plot data={data} isStacked={STACKED.includes(data.chart)} title={TITLES[data.chart]} />
      )}
    </div>
  );
}

/** Each series in one sentence: its last value and its highest. */
const SUMMARIZED = 3;
export const summaryOf = ({ series }: Pick<Chart, 'series'>): string =>
  series
    .slice(0, SUMMARIZED)
    .map(({ name, unit, values }) => {
      const known = values.filter((value) => value !== null);
      if (known.length === 0) return `${name}: nothing measured`;
      return `${name}: now ${valueText(known.at(-1)!, unit)}, at most ${valueText(Math.max(...known), unit)}`;
    })
    .join('. ');

function ChartTable({ data }: { readonly data: Chart }) {
  return (
    <div className="table-box chart-table" tabIndex={0} role="region" aria-label={`${TITLES[data.chart]} as a table`}>
      <table>
        <caption>{TITLES[data.chart]}</caption>
        <thead>
          <tr>
            <th scope="col">Time</th>
            {data.series.map(({ name }) => (
              <th key={name} scope="col" className="number">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {data.times.map((time, index) => (
            <tr key={time}>
              <th scope="row">{exactText(time, 'local')}</th>
              {data.series.map(({ name, unit, values }) => (
                <td key={name} className="number">
                  {cellText(values[index], unit)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

const cellText = (value: number | null | undefined, unit: Unit): string =>
  value === null || value === undefined ? '–' : valueText(value, unit);
