import { z } from 'zod';
import { HostName } from '../worker/download-job.ts';
import { ModelName } from '../manifest.ts';
import { bySource } from '../worker/worker-events.ts';
import { LabelsPatch, SelectorText } from '../labels.ts';
import { Count, Cursor, Moment } from './parameters.ts';

export const HostParams = z.strictObject({ name: HostName });

export const VerifyHostBody = z
  .strictObject({
    model: ModelName.optional().describe('only this model, in all its versions; everything where left out'),
  })
  .nullish();

/** An accepted order; the host's worker carries it out at once, or when it is online again. */
export const OrderedVerify = z
  .strictObject({
    id: z.uuid(),
    host: z.string(),
    model: z.string().nullable(),
    requestedAt: Moment,
  })
  .meta({ id: 'OrderedVerify' });

export type OrderedVerify = z.infer<typeof OrderedVerify>;

const BytesPerSecond = z
  .number()
  .int('a limit is a whole number')
  .min(1, 'a limit is at least 1 byte per second')
  .max(Number.MAX_SAFE_INTEGER);

const MAX_SOURCES_AT_ONCE = 100;

/** What is left out stays as it is. */
export const HostLimitsBody = z.strictObject({
  workerBytesPerSecond: BytesPerSecond.nullable()
    .optional()
    .describe("most bytes per second over all downloads of the host's worker; null: as the worker is configured"),
  sources: bySource(BytesPerSecond.nullable())
    .refine((sources) => Object.keys(sources).length <= MAX_SOURCES_AT_ONCE, `at most ${MAX_SOURCES_AT_ONCE} at once`)
    .optional()
    .describe(
      'most bytes per second by host of the source, such as gateway.example or gateway.example:8080; null: as the worker is configured',
    ),
});

export type HostLimitsBody = z.infer<typeof HostLimitsBody>;

/** All that is set for a host now. */
export const HostLimitsSet = z
  .strictObject({
    host: z.string(),
    workerBytesPerSecond: z.number().nullable().describe('null: as the worker is configured'),
    sources: z.record(z.string(), z.number()),
  })
  .meta({ id: 'HostLimits' });

export type HostLimitsSet = z.infer<typeof HostLimitsSet>;

const MAX_HOSTS_ON_A_PAGE = 10_000;

const HostFilter = {
  selector: SelectorText.optional(),
  status: z.enum(['online', 'offline', 'draining']).optional(),
  q: z.string().max(100).optional().describe('part of the name'),
  version: z
    .string()
    .max(200)
    .transform((text) => text.split(','))
    .optional()
    .describe('of the worker; one or more, separated by commas'),
  disk: z.enum(['low']).optional().describe('`low`: less than a tenth of the disk of the store is free'),
};

export const HOST_ACTIONS = ['drain', 'undrain', 'label', 'verify', 'forget'] as const;

const MAX_NAMES = 1000;
/** Of hosts that were asked for by name, each that is skipped is named. */
export const MAX_SKIPPED_HOSTS = MAX_NAMES;

const ActedOn = z
  .strictObject({
    names: z
      .array(HostName)
      .min(1)
      .max(MAX_NAMES, `at most ${MAX_NAMES} names at once; use the other filters for more`)
      .optional()
      .describe('these hosts; a name that no host has is skipped and named'),
    ...HostFilter,
  })
  .refine(
    (hosts) => Object.values(hosts).some((value) => value !== undefined),
    'give names or a filter, such as {"selector": "site=eu-1"}; {"selector": ""} is every host',
  )
  .refine(({ names, ...filter }) => names === undefined || Object.values(filter).every((one) => one === undefined), {
    path: ['names'],
    error: 'give names, or the other filters, not both',
  });

export const HostActionBody = z
  .strictObject({
    action: z.enum(HOST_ACTIONS),
    hosts: ActedOn,
    labels: LabelsPatch.optional().describe('what `label` sets; null takes a label away, what is left out stays'),
  })
  .refine(({ action, labels }) => (action === 'label') === (labels !== undefined), {
    path: ['labels'],
    error: 'labels are for the action "label", and for that one alone',
  })
  .meta({ examples: [{ action: 'label', hosts: { selector: 'site=eu-1' }, labels: { ring: 'canary' } }] });

export type HostActionBody = z.infer<typeof HostActionBody>;
export type HostActionInput = z.input<typeof HostActionBody>;

/** What became of the hosts that an action was for, or what would become of them. */
export const HostActionResult = z
  .strictObject({
    action: z.enum(HOST_ACTIONS),
    dryRun: z.boolean(),
    counts: z.strictObject({
      matched: Count.describe('the sum of the others'),
      changed: Count.describe('of a dry run: would be changed'),
      unchanged: Count.describe('stood so already'),
      skipped: Count.describe('could not'),
    }),
    skipped: z
      .array(z.strictObject({ host: z.string(), reason: z.string() }))
      .describe(`at most ${MAX_SKIPPED_HOSTS} of them`),
  })
  .meta({ id: 'HostActionResult' });

export type HostActionResult = z.infer<typeof HostActionResult>;

export const HostFacetsQuery = z.strictObject(HostFilter);

export type HostFacetsQuery = z.infer<typeof HostFacetsQuery>;

/** The hosts that match, counted by what they are told apart by. */
export const HostFacets = z
  .strictObject({
    total: Count,
    online: Count,
    offline: Count,
    draining: Count,
    lowDisk: Count.describe('less than a tenth of the disk of the store is free'),
    versions: z.record(z.string(), Count).describe('hosts by the version of their worker'),
    labels: z
      .record(z.string(), z.record(z.string(), Count))
      .describe('hosts by label and value; a label with more than 100 values is left out'),
  })
  .meta({ id: 'HostFacets' });

export type HostFacets = z.infer<typeof HostFacets>;

/** Versions of models that are wanted on a host. */
export const HostModels = z
  .strictObject({
    models: z.array(
      z.strictObject({
        model: z.string(),
        version: z.string(),
        wanted: Count.describe('files'),
        ready: Count.describe('files that are there, verified'),
        failed: Count.describe('files whose last download failed'),
        sizeBytes: Count.describe('sum of the files whose size is known'),
        readyAt: Moment.nullable().describe('when the last file came; null until all are there'),
      }),
    ),
  })
  .meta({ id: 'HostModels' });

export type HostModels = z.infer<typeof HostModels>;

export const ListHostsQuery = z.strictObject({
  ...HostFilter,
  cursor: Cursor.optional(),
  limit: z.coerce.number().int().min(1).max(MAX_HOSTS_ON_A_PAGE).default(1000),
});

export type ListHostsQuery = z.infer<typeof ListHostsQuery>;

export const LabelsBody = LabelsPatch.meta({ examples: [{ gpu: 'true', site: 'eu-1', old: null }] });

/** What became of a host that was forgotten. */
export const ForgottenHost = z
  .strictObject({
    name: z.string(),
    cancelledDownloads: z.number().int().min(0).describe('downloads that were still wanted there'),
  })
  .meta({ id: 'ForgottenHost' });

export type ForgottenHost = z.infer<typeof ForgottenHost>;
