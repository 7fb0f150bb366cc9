import { z } from 'zod';
import { LAYER_NAMES, OUTCOMES, SOURCE_KINDS } from '#core/layer';
import { DAY_MS, parseDuration } from '#core/units';
import { parsedBy } from '../parsed-by.ts';
import { Count, Cursor, Moment, NextCursor } from './parameters.ts';

const MAX_WINDOW_MS = 400 * DAY_MS;

/** How far back a metric looks: `24h`, `30d`. */
const Window = parsedBy(z.string().max(20).default('24h'), parseWindow).describe(
  'how far back: `24h`, `30d`; at most `400d`',
);

function parseWindow(text: string): number {
  const ms = parseDuration(text);
  if (ms > 0 && ms <= MAX_WINDOW_MS) return ms;
  throw new RangeError(`"${text}" is not between 1s and 400d`);
}

export const MetricsQuery = z.strictObject({ window: Window });

export const MetricsListQuery = z.strictObject({
  window: Window,
  layer: z.enum(LAYER_NAMES).optional(),
  status: z.enum(['success', 'failure']).optional(),
  cursor: Cursor.optional(),
  limit: z.coerce.number().int().min(1).max(1000).default(100),
});

export type MetricsListQuery = z.infer<typeof MetricsListQuery>;

/** One record per try. */
const TryRecord = z.strictObject({
  at: Moment,
  downloadId: z.uuid(),
  host: z.string().nullable(),
  model: z.string().nullable(),
  modelType: z.string().nullable(),
  layer: z.enum(LAYER_NAMES),
  kind: z.enum(SOURCE_KINDS),
  gateway: z.string().describe('scheme, host and port of the source, or the path of a bundle'),
  source: z.string(),
  status: z.enum(['success', 'failure']),
  latencyMs: Count,
  bytes: Count.describe('bytes that were kept'),
  totalBytes: Count.nullable(),
  errorType: z.string().nullable(),
  errorMessage: z.string().nullable(),
});

export const MetricsList = z
  .strictObject({ records: z.array(TryRecord), nextCursor: NextCursor })
  .meta({ id: 'MetricsList' });

export type MetricsList = z.infer<typeof MetricsList>;

const Rate = z.number().min(0).max(1).describe('0 to 1');
const Milliseconds = z.number().min(0);

const TryStats = {
  tries: Count,
  successes: Count,
  successRate: Rate,
  averageMs: Milliseconds,
  p50Ms: Milliseconds,
  p95Ms: Milliseconds,
  bytes: Count,
};

export const MetricsSummary = z
  .strictObject({
    since: Moment.describe('the start of the window, or the last reset when that is later'),
    until: Moment,
    total: z.strictObject({ tries: Count, successes: Count, successRate: Rate.nullable(), bytes: Count }),
    layers: z
      .array(
        z.strictObject({
          layer: z.enum(LAYER_NAMES),
          ...TryStats,
          successRate: Rate.nullable(),
          averageMs: Milliseconds.nullable(),
          p50Ms: Milliseconds.nullable(),
          p95Ms: Milliseconds.nullable(),
        }),
      )
      .describe('every layer; without a try its rate and times are null'),
    gateways: z.array(z.strictObject({ layer: z.enum(LAYER_NAMES), gateway: z.string(), ...TryStats })),
    outcomes: z.partialRecord(z.enum(OUTCOMES), Count).describe('finished downloads by how deep the chain had to go'),
    cacheEffectiveness: Rate.nullable().describe('of the downloads that succeeded, how many were there already'),
  })
  .meta({ id: 'MetricsSummary' });

export type MetricsSummary = z.infer<typeof MetricsSummary>;

export const MetricsHealth = z
  .strictObject({
    status: z
      .enum(['ok', 'degraded', 'down'])
      .describe('down: no layer that was tried gives files; degraded: some layer or source does badly'),
    reason: z.string().describe('why it is not ok, or that it is'),
    statusSince: Moment.nullable().describe('since when, where that is known'),
    since: Moment.describe('the start of the window'),
    layers: z.array(
      z.strictObject({
        layer: z.enum(LAYER_NAMES),
        status: z.enum(['healthy', 'degraded', 'down', 'unknown']).describe('unknown: no try in the window'),
        since: Moment.nullable().describe('since when it has this status, where that is known'),
        reason: z.string().describe('what the status is judged by'),
        tries: Count,
        successRate: Rate.nullable(),
        lastSuccessAt: Moment.nullable(),
        lastFailureAt: Moment.nullable(),
        lastError: z.string().nullable(),
      }),
    ),
  })
  .meta({ id: 'MetricsHealth' });

export type MetricsHealth = z.infer<typeof MetricsHealth>;

export const MetricsReset = z.strictObject({ resetAt: Moment });

/** The six charts of the dashboard. */
export const METRIC_CHARTS = [
  'bytes_per_second',
  'success_rate',
  'time_to_ready',
  'queue',
  'failures',
  'fallback_depth',
] as const;

export type MetricChart = (typeof METRIC_CHARTS)[number];

export const ChartQuery = z.strictObject({
  chart: z
    .enum(METRIC_CHARTS)
    .describe(
      '`bytes_per_second`: kept bytes by source; `success_rate`: of tries, by source; `time_to_ready`: p50, p95 and p99 of the time from ' +
        'request to file; `queue`: downloads that wait and run, and the age of the oldest that waits; `failures`: failed tries by reason; ' +
        '`fallback_depth`: finished downloads by how deep the chain had to go',
    ),
  window: Window,
  before: z
    .enum(['true', 'false'])
    .default('false')
    .transform((text) => text === 'true')
    .describe('the window before this one, with as many slots'),
});

export type ChartQuery = z.infer<typeof ChartQuery>;

/** One value for each of `times`; null where nothing was measured. */
const Series = z.strictObject({
  name: z.string(),
  unit: z.enum(['bytes_per_second', 'ratio', 'milliseconds', 'count']),
  values: z.array(z.number().nullable()),
});

export const Chart = z
  .strictObject({
    chart: z.enum(METRIC_CHARTS),
    since: Moment,
    until: Moment,
    stepMs: Count.describe('length of one slot'),
    times: z.array(Moment).describe('the start of each slot; the last one is not over yet'),
    series: z.array(Series).describe('the biggest first; beyond ten sources the rest is one series, `other`'),
  })
  .meta({ id: 'MetricChart' });

export type Chart = z.infer<typeof Chart>;
