import { z } from 'zod';
import { ModelName, ModelVersion } from '../manifest.ts';
import { HostName } from '../worker/download-job.ts';
import { Count, Limit, Moment } from './parameters.ts';

export const DownloadErrorsQuery = z.strictObject({
  model: ModelName.optional(),
  version: ModelVersion.optional(),
  host: HostName.optional(),
  status: z
    .string()
    .default('failed')
    .transform((text) => text.split(','))
    .pipe(z.array(z.enum(['failed', 'paused'])))
    .describe(
      '`failed`, `paused` or both, separated by commas; paused ones wait for something, such as space or a source',
    ),
  since: z.iso
    .datetime({ offset: true, error: 'a time is ISO 8601, such as 2026-11-29T00:00:00Z' })
    .optional()
    .describe('only those that ended or changed since then'),
  limit: Limit,
});

export type DownloadErrorsQuery = z.infer<typeof DownloadErrorsQuery>;

/** Downloads that failed alike. */
export const DownloadErrors = z
  .strictObject({
    errors: z.array(
      z.strictObject({
        reason: z.string().describe('the kind of failure, or why it is paused'),
        source: z.string().nullable().describe('where the last bytes were asked for'),
        message: z.string().describe('what the messages have in common: names, paths and numbers are left out'),
        count: Count,
        firstAt: Moment,
        lastAt: Moment,
        hosts: z.array(z.string()).describe('at most 10; empty: the pool'),
        sample: z.string().describe('the message of the last one'),
        links: z.strictObject({ last: z.string() }),
      }),
    ),
  })
  .meta({ id: 'DownloadErrors' });

export type DownloadErrors = z.infer<typeof DownloadErrors>;
