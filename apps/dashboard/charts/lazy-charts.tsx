import { lazy, Suspense } from 'react';
import type { MetricChart } from '#contracts/http/metrics';
import { Skeleton } from '../parts/page.tsx';

const ChartCard = lazy(async () => ({ default: (await import('./chart-card.tsx')).ChartCard }));

/** Charts and their library are loaded after the page. */
export function LazyCharts({ charts, window }: { readonly charts: readonly MetricChart[]; readonly window: string }) {
  return (
    <div className="columns even">
      {charts.map((chart) => (
        <Suspense key={chart} fallback={<Skeleton lines={8} />}>
          <ChartCard chart={chart} window={window} />
        </Suspense>
      ))}
    </div>
  );
}
