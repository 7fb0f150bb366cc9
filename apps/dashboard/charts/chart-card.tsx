import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import type { Chart, MetricChart } from '#contracts/http/metrics';
import { chartQuery } from '../data/charts.ts';
import { exactText } from '../parts/text/format.tsx';
import { EmptyState, Section, Skeleton } from '../parts/page.tsx';
import { ProblemBox } from '../parts/problem.tsx';
import { csvOf } from './csv.ts';
import { meanOf, STACKED, wholeBefore, wholeOf } from './period-before.ts';
import { LazyPlot } from './lazy-plot.tsx';
import type { Mark } from './plot.tsx';
import { labelOf, valueText, type Unit } from './units.ts';

const TITLES: Readonly<Record<MetricChart, string>> = {
  bytes_per_second: 'Bytes per second by source',
  success_rate: 'Successful tries by source',
  time_to_ready: 'Time from request to file',
  queue: 'Downloads that wait and run',
  failures: 'Failed tries by reason',
  fallback_depth: 'How deep the chain had to go',
};

interface ChartCardProps {
  readonly chart: MetricChart;
  readonly window: string;
  /** Beside the same time before. */
  readonly isCompared?: boolean;
  /** Moments that are marked. */
  readonly marks?: readonly Mark[];
}

/** One chart with its summary, its table, and its numbers as a file. */
export function ChartCard({ chart, window, isCompared = false, marks = NO_MARKS }: ChartCardProps) {
  const [asTable, setAsTable] = useState(false);
  const { data, error, refetch } = useQuery(chartQuery(chart, window));
  const before = useQuery({ ...chartQuery(chart, window, true), enabled: isCompared });
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
      {data !== undefined && (
        <ChartBody data={data} before={isCompared ? before.data : undefined} marks={marks} asTable={asTable} />
      )}
      {isCompared && before.error !== null && <ProblemBox error={before.error} />}
    </Section>
  );
}

const NO_MARKS: readonly Mark[] = [];

function ChartBody(props: {
  readonly data: Chart;
  readonly before: Chart | undefined;
  readonly marks: readonly Mark[];
  readonly asTable: boolean;
}) {
  const { data, before, marks, asTable } = props;
  if (!data.series.some(({ values }) => values.some((value) => value !== null && value > 0)))
    return <EmptyState title="Nothing was measured in this time." />;
  return (
    <div className="chart-frame">
      <p className="faint">{summaryOf(data)}</p>
      {before !== undefined && <p>{comparisonOf(data, before)}</p>}
      {asTable ? (
        <ChartTable data={data} before={before} />
      ) : (
        <LazyPlot
          data={data}
          before={before}
          marks={marks}
          isStacked={STACKED.includes(data.chart)}
          title={TITLES[data.chart]}
        />
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
      if (known.length === 0) return `${labelOf(name)}: nothing measured`;
      return `${labelOf(name)}: now ${valueText(known.at(-1)!, unit)}, at most ${valueText(Math.max(...known), unit)}`;
    })
    .join('. ');

/** Both times in one sentence, by the mean of what was measured. */
export function comparisonOf(now: Chart, before: Chart): string {
  const whole = wholeOf(now)!;
  const [mean, earlier] = [meanOf(whole), meanOf(wholeBefore(now, before) ?? { values: [] })];
  if (mean === undefined || earlier === undefined) return `${whole.name}: nothing was measured in the period before.`;
  const share = earlier === 0 ? undefined : Math.round((100 * (mean - earlier)) / earlier);
  const change =
    share === undefined ? '' : share === 0 ? ', the same' : `, ${Math.abs(share)} % ${share > 0 ? 'more' : 'less'}`;
  return `${whole.name}: on average ${valueText(mean, whole.unit)}; in the period before ${valueText(earlier, whole.unit)}${change}.`;
}

function ChartTable({ data, before }: { readonly data: Chart; readonly before: Chart | undefined }) {
  const earlier = before === undefined ? undefined : wholeBefore(data, before);
  const columns = [
    ...data.series,
    ...(earlier === undefined ? [] : [{ ...earlier, name: `${earlier.name}, the period before` }]),
  ];
  return (
    <div className="table-box chart-table" tabIndex={0} role="region" aria-label={`${TITLES[data.chart]} as a table`}>
      <table>
        <caption>{TITLES[data.chart]}</caption>
        <thead>
          <tr>
            <th scope="col">Time</th>
            {columns.map(({ name }) => (
              <th key={name} scope="col" className="number">
                {labelOf(name)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {data.times.map((time, index) => (
            <tr key={time}>
              <th scope="row">{exactText(time, 'local')}</th>
              {columns.map(({ name, unit, values }) => (
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
