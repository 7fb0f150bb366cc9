import { z } from 'zod';
import {
  MetricsHealth,
  MetricsList,
  MetricsListQuery,
  MetricsQuery,
  MetricsReset,
  MetricsSummary,
} from '#contracts/http/metrics';
import { LAYER_NAMES } from '#core/layer';
import { layerHealth, listTries, metricsSummary, resetMetrics } from '#database/history/metrics-queries';
import type { TryRow, MetricsCounts } from '#database/history/metrics-queries';
import type { TryStats } from '#database/history/try-sums';
import { parseJson } from '#core/text/parse-json';
import type { Dependencies } from '../dependencies.ts';
import { TOKEN_REQUIRED, guardedBy, problems } from '../server/describe.ts';
import type { App } from '../server/app-type.ts';
import { badCursor } from '../server/requests/cursor.ts';
import { MAY_BE_OLD, readList } from '../server/requests/read-list.ts';
import { momentOf } from '../server/requests/moment.ts';
import { registerChartRoutes } from './chart-routes.ts';
import { healthView } from './health-view.ts';
import { tryRecord } from './try-view.ts';

const documented = { tags: ['metrics'], security: TOKEN_REQUIRED };

/** Lists come from the rows of single tries, sums from their roll-ups. */
export function registerMetricsRoutes(app: App, deps: Dependencies): void {
  registerRecords(app, deps);
  registerAggregates(app, deps);
  registerChartRoutes(app, deps);
  app.post(
    '/api/metrics/downloads/reset',
    {
      ...guardedBy('admin'),
      schema: {
        ...documented,
        operationId: 'resetMetrics',
        summary: 'Count from now on',
        description: 'Older records are not counted or listed any more; they stay stored until their retention ends.',
        response: { 200: MetricsReset, ...problems() },
      },
    },
    async () => {
      const at = deps.now();
      await resetMetrics(deps.database, at);
      return { resetAt: momentOf(at) };
    },
  );
}

function registerRecords(app: App, deps: Dependencies): void {
  app.get(
    '/api/metrics/downloads',
    {
      ...guardedBy('read'),
      schema: {
        ...documented,
        operationId: 'listMetrics',
        summary: 'Single tries, newest first',
        description: MAY_BE_OLD,
        querystring: MetricsListQuery,
        response: { 200: MetricsList, ...problems(400) },
      },
    },
    async ({ query }, reply) => {
      const { window, layer, status, cursor, limit } = query;
      const after = cursor === undefined ? undefined : decodeRecordCursor(cursor);
      const filter = { since: ago(deps, window), layer, status, limit: limit + 1, after };
      const rows = await readList(deps, reply, (from) => listTries(from, filter, deps.now()));
      const last = rows.length > limit ? rows[limit - 1] : undefined;
      return {
        records: rows.slice(0, limit).map(tryRecord),
        nextCursor: last === undefined ? null : encodeRecordCursor(last),
      };
    },
  );
}

function registerAggregates(app: App, deps: Dependencies): void {
  app.get(
    '/api/metrics/summary',
    {
      ...guardedBy('read'),
      schema: {
        ...documented,
        operationId: 'getMetricsSummary',
        summary: 'Success and latency by layer and gateway; cache effectiveness',
        description: MAY_BE_OLD,
        querystring: MetricsQuery,
        response: { 200: MetricsSummary, ...problems(400) },
      },
    },
    async ({ query }, reply) => {
      const since = ago(deps, query.window);
      return summaryView(await readList(deps, reply, (from) => metricsSummary(from, since)), deps.now());
    },
  );
  app.get(
    '/api/metrics/health',
    {
      ...guardedBy('read'),
      schema: {
        ...documented,
        operationId: 'getMetricsHealth',
        summary: 'Whether downloads work, and how each layer does',
        querystring: MetricsQuery,
        response: { 200: MetricsHealth, ...problems(400) },
      },
    },
    async (request) => {
      const since = ago(deps, request.query.window);
      return healthView(since, await layerHealth(deps.database, since));
    },
  );
}

const ago = ({ now }: Dependencies, windowMs: number): Date => new Date(now().getTime() - windowMs);

function summaryView(summary: MetricsCounts, until: Date): MetricsSummary {
  const tries = sum(summary.layers, (layer) => layer.attempts);
  const successes = sum(summary.layers, (layer) => layer.successes);
  const known = new Map(summary.layers.map(({ layer, ...stats }) => [layer, statsView(stats)]));
  return {
    since: momentOf(summary.since),
    until: momentOf(until),
    total: {
      tries,
      successes,
      successRate: tries === 0 ? null : successes / tries,
      bytes: sum(summary.layers, (layer) => layer.bytes),
    },
    layers: LAYER_NAMES.map((layer) => ({ layer, ...(known.get(layer) ?? NO_TRIES) })),
    gateways: summary.gateways.map(({ layer, gateway, ...stats }) => ({ layer, gateway, ...statsView(stats) })),
    outcomes: summary.outcomes,
    cacheEffectiveness: summary.cacheEffectiveness,
  };
}

/** A layer without a try. */
const NO_TRIES = { tries: 0, successes: 0, successRate: null, averageMs: null, p50Ms: null, p95Ms: null, bytes: 0 };

const statsView = ({ attempts, successes, successRate, averageMs, p50Ms, p95Ms, bytes }: TryStats) => ({
  tries: attempts,
  successes,
  successRate,
  averageMs,
  p50Ms,
  p95Ms,
  bytes,
});

const sum = <Item>(items: readonly Item[], valueOf: (item: Item) => number): number =>
  items.reduce((total, item) => total + valueOf(item), 0);

type RecordPosition = Pick<TryRow, 'at' | 'downloadId' | 'generation' | 'attempt' | 'sequence'>;

/** No moment beyond the year 33658 and no number that Postgres could not compare. */
const Milliseconds = z.number().int().min(0).max(1e15);
const RecordCursor = z.tuple([Milliseconds, z.uuid(), z.int32(), z.int32(), z.int32()]);

const encodeRecordCursor = ({ at, downloadId, generation, attempt, sequence }: RecordPosition): string =>
  Buffer.from(JSON.stringify([at.getTime(), downloadId, generation, attempt, sequence])).toString('base64url');

function decodeRecordCursor(cursor: string): RecordPosition {
  const parsed = RecordCursor.safeParse(parseJson(Buffer.from(cursor, 'base64url').toString('utf8')));
  if (!parsed.success) throw badCursor(cursor);
  const [at, downloadId, generation, attempt, sequence] = parsed.data;
  return { at: new Date(at), downloadId, generation, attempt, sequence };
}
