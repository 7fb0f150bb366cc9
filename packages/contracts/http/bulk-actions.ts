import { z } from 'zod';
import { BULK_ACTIONS, BULK_ITEM_STATES } from '#core/bulk-action';
import { DOWNLOAD_STATUSES } from '#core/download-status';
import { ModelName, ModelVersion } from '../manifest.ts';
import { HostName } from '../worker/download-job.ts';
import { Count, Moment, Page, pageOf, Wait } from './parameters.ts';

const MAX_IDS = 10_000;

const Filter = z
  .strictObject({
    ids: z
      .array(z.uuid('a download id is a UUID'))
      .min(1)
      .max(MAX_IDS, `at most ${MAX_IDS} ids at once; use the other filters for more`)
      .optional()
      .describe('these downloads, whatever their status; one that does not exist is skipped and named'),
    model: ModelName.optional(),
    version: ModelVersion.optional(),
    host: HostName.optional(),
    status: z
      .array(z.enum(DOWNLOAD_STATUSES))
      .min(1)
      .max(DOWNLOAD_STATUSES.length)
      .optional()
      .describe(
        'left out: what the action is for. pause and cancel: downloads that have not ended; resume: paused; retry: failed',
      ),
  })
  .refine(
    (filter) => Object.keys(filter).length > 0,
    'name ids, a model, a host or a status: an empty filter means every download',
  )
  .refine(({ ids, ...others }) => ids === undefined || Object.keys(others).length === 0, {
    path: ['ids'],
    error: 'give ids, or the other filters, not both',
  })
  .refine(({ version, model }) => version === undefined || model !== undefined, {
    path: ['version'],
    error: 'a version is of a model: name the model as well',
  });

export const CreateBulkActionBody = z.strictObject({ action: z.enum(BULK_ACTIONS), filter: Filter }).meta({
  examples: [{ action: 'retry', filter: { model: 'whisper-base', host: 'gpu-017' } }],
});

export type CreateBulkActionBody = z.infer<typeof CreateBulkActionBody>;
export type BulkFilter = z.infer<typeof Filter>;

export const BulkItem = z.strictObject({
  id: z.uuid().describe('of the download'),
  file: z.string().nullable().describe('null where there is no such download'),
  host: z.string().nullable(),
  state: z.enum(BULK_ITEM_STATES),
  reason: z.string().nullable().describe('why it was skipped or failed'),
});

export type BulkItem = z.infer<typeof BulkItem>;

/** One action on many downloads, and how far it is. */
export const BulkAction = z
  .strictObject({
    id: z.uuid(),
    action: z.enum(BULK_ACTIONS),
    filter: z.unknown().describe('as it was sent'),
    state: z.enum(['running', 'done']),
    counts: z.strictObject({
      matched: Count.describe('when it was asked for; the sum of the others'),
      pending: Count.describe('to be carried out yet'),
      done: Count,
      unchanged: Count.describe('stood so already'),
      skipped: Count.describe('could not'),
      failed: Count.describe('an error of the API; asking again may help'),
    }),
    skipped: z.array(BulkItem).describe('skipped and failed ones, at most 100; `links.items` has all'),
    createdBy: z.string(),
    createdAt: Moment,
    endedAt: Moment.nullable(),
    links: z.strictObject({ self: z.string(), items: z.string() }),
  })
  .meta({ id: 'BulkAction' });

export type BulkAction = z.infer<typeof BulkAction>;

/** What a bulk action would do. */
export const BulkPlan = z
  .strictObject({
    dryRun: z.literal(true),
    counts: z.strictObject({
      matched: Count,
      pending: Count.describe('would be acted on'),
      unchanged: Count.describe('stand so already'),
      skipped: Count.describe('could not'),
    }),
    reasons: z
      .array(z.strictObject({ reason: z.string(), count: Count }))
      .describe('why downloads would be left alone, most of them first'),
  })
  .meta({ id: 'BulkPlan' });

export type BulkPlan = z.infer<typeof BulkPlan>;

export const BulkActionParams = z.strictObject({ id: z.uuid('a bulk action id is a UUID, as a create answered it') });

export const GetBulkActionQuery = z.strictObject({ wait: Wait.optional() });

export const ListBulkItemsQuery = z.strictObject({
  state: z
    .string()
    .transform((text) => text.split(','))
    .pipe(z.array(z.enum(BULK_ITEM_STATES)))
    .optional()
    .describe('one or more, separated by commas'),
  ...Page,
});

export const BulkItemList = pageOf('BulkItemList', 'items', BulkItem);

export type BulkItemList = z.infer<typeof BulkItemList>;
