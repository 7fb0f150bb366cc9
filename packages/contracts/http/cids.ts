import { z } from 'zod';
import { Cid } from '../file-spec.ts';
import { ModelName } from '../manifest.ts';
import { Count, Limit, Moment } from './parameters.ts';

export const CidParams = z.strictObject({ cid: Cid });

export const CidQuery = z.strictObject({
  model: ModelName,
  type: z.string().min(1).max(60).optional().describe('what the model is for, such as `stt`'),
  limit: Limit,
});

export type CidQuery = z.infer<typeof CidQuery>;

/** What is known of one content that was fetched and proven at least once. */
export const CidRecord = z
  .strictObject({
    cid: z.string(),
    model: z.string().nullable(),
    type: z.string().nullable(),
    hash: z.string().nullable().describe('SHA-256 of the whole file'),
    gateway: z.string().nullable().describe('the source that gave most of it last time'),
    cachedAt: Moment.describe('when it was had for the first time'),
    lastAccessedAt: Moment.describe('when it was had for the last time'),
    successCount: Count,
    failureCount: Count,
    links: z.strictObject({ self: z.string(), downloads: z.string() }),
  })
  .meta({ id: 'CidRecord' });

export type CidRecord = z.infer<typeof CidRecord>;

export const CidList = z.strictObject({ cids: z.array(CidRecord) });
