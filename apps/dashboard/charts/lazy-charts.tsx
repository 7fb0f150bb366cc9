import { usePrefetchQuery } from '@tanstack/react-query';
import { lazy } from 'react';
import type { MetricChart } from '#contracts/http/metrics';
import type { ChartCardProps } from './chart-card.tsx';
import { chartQuery } from '../data/charts.ts';
import { Skeleton } from '../parts/page.tsx';
import { WhenIdle } from '../parts/when-idle.tsx';

const ChartCard = lazy(async () => ({ default: (await import('./chart-card.tsx')).ChartCard }));

/** Charts and their library are loaded after the page, and their numbers at the same time. */
export function LazyCharts(props: Omit<ChartCardProps, 'chart'> & { readonly charts: readonly MetricChart[] }) {
  const { charts, ...common } = props;
  return (
    <div className="columns even">
      {charts.map((chart) => (
        <LazyChart key={chart} chart={chart} {...common} />
      ))}
    </div>
  );
}

function LazyChart(props: ChartCardProps) {
  usePrefetchQuery(chartQuery(props.chart, props.window));
  return (
    <WhenIdle fallback={<Skeleton lines={8} />}>
      <ChartCard {...props} />
    </WhenIdle>
  );
}
