import { Chart, ChartQuery } from '#contracts/http/metrics';
import { MINUTE_MS } from '#core/units';
import {
  chartSeries,
  sampleQueue,
  slotCount,
  slotsBefore,
  slotsOf,
  type ChartSeries,
  type ChartSlots,
} from '#database/history/chart-queries';
import { createLoop, type Loop } from '../background/loop.ts';
import type { Dependencies } from '../dependencies.ts';
import type { App } from '../server/app-type.ts';
import { TOKEN_REQUIRED, guardedBy, problems } from '../server/describe.ts';
import { momentOf } from '../server/requests/moment.ts';
import { MAY_BE_OLD, readList } from '../server/requests/read-list.ts';

/** The series of the dashboard's charts. */
export function registerChartRoutes(app: App, deps: Dependencies): void {
  app.get(
    '/api/metrics/query',
    {
      ...guardedBy('read'),
      schema: {
        operationId: 'queryMetrics',
        summary: 'The series of one chart: bytes, success, time to ready, queue, failures or fallback depth',
        description: `Slots are a minute, five minutes, an hour or a day long, by the window. ${MAY_BE_OLD}`,
        tags: ['metrics'],
        security: TOKEN_REQUIRED,
        querystring: ChartQuery,
        response: { 200: Chart, ...problems(400) },
      },
    },
    async ({ query: { chart, window, before } }, reply) => {
      const now = slotsOf(window, deps.now());
      const slots = before ? slotsBefore(now, window) : now;
      const series = await readList(deps, reply, (from) => chartSeries(from, chart, slots));
      return { chart, ...chartView(slots, series) };
    },
  );
}

function chartView(slots: ChartSlots, series: readonly ChartSeries[]): Omit<Chart, 'chart'> {
  const { since, until, stepMs } = slots;
  const count = slotCount(slots);
  const starts = Array.from({ length: count }, (_, place) => since.getTime() + place * stepMs);
  return {
    ...{ since: momentOf(since), until: momentOf(until), stepMs },
    times: starts.map((at) => momentOf(new Date(at))),
    series: series.map(({ name, unit, points }) => {
      const values = new Map(points.map(({ slot, value }) => [slot.getTime(), value]));
      return { name, unit, values: starts.map((at) => values.get(at) ?? null) };
    }),
  };
}

/** Keeps how many downloads wait and run, once a minute. */
export const createQueueSampler = ({ database, now, log }: Pick<Dependencies, 'database' | 'now' | 'log'>): Loop =>
  createLoop({
    name: 'queue-samples',
    everyMs: MINUTE_MS,
    log,
    round: async () => {
      await sampleQueue(database, now());
      return false;
    },
  });
