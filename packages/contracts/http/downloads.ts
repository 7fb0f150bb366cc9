import { z } from 'zod';
import { DOWNLOAD_STATUSES } from '#core/download-status';
import { LAYER_NAMES, OUTCOMES, SOURCE_KINDS } from '#core/layer';
import { HostName } from '../worker/download-job.ts';
import { Cid, ManifestFile, SourceInput, refuseSharedMirrors } from '../file-spec.ts';
import { FilePath } from '../file-path.ts';
import { ModelName, ModelVersion } from '../manifest.ts';
import { Count, Cursor, Limit, Moment, NextCursor, Wait } from './parameters.ts';
import { DAY_MS, parseDuration } from '#core/units';
import { parsedBy } from '../parsed-by.ts';

const MAX_HOSTS = 100_000;
const MAX_INLINE_FILES = 1000;

const MAX_DEADLINE_DAYS = 365;

const Deadline = parsedBy(z.string().max(20), parseDeadline).describe(
  'how long the download waits for sources that cannot be reached: `2h`, `30m`; default `24h`; a resume renews it',
);

function parseDeadline(text: string): number {
  const ms = Math.round(parseDuration(text));
  if (ms >= 1 && ms <= MAX_DEADLINE_DAYS * DAY_MS) return ms;
  throw new RangeError(`"${text}" is not between 1ms and ${MAX_DEADLINE_DAYS}d`);
}

/** How the files are fetched; the same for every host of the request. */
const How = {
  host: HostName.optional().describe('the host that shall have the files; left out: any worker of the pool'),
  hosts: z.array(HostName).min(1).max(MAX_HOSTS).optional().describe('several hosts at once, instead of `host`'),
  allowUnknown: z
    .boolean()
    .optional()
    .describe('`true`: hosts that no worker has reported from yet are taken too; the files wait for their workers'),
  layers: z
    .array(z.enum(LAYER_NAMES))
    .min(1)
    .max(LAYER_NAMES.length)
    .optional()
    .describe('order of the fallback chain'),
  strategy: z.enum(['ordered', 'parallel']).optional(),
  limitBytesPerSecond: z.number().int().min(1, 'a limit is at least 1 byte per second').optional(),
  deadline: Deadline.optional(),
};

const ModelRequest = z.strictObject({
  model: ModelName,
  version: ModelVersion.optional().describe('left out: the pinned or newest version'),
  files: z.array(FilePath).min(1).max(10_000).optional().describe('paths of the files that are wanted; left out: all'),
  ...How,
});

const InlineRequest = z
  .strictObject({
    files: z.array(ManifestFile).min(1).max(MAX_INLINE_FILES),
    name: ModelName.optional().describe('groups the files on the host and in lists'),
    sources: z.array(SourceInput).max(16).optional().describe('hubs of every file'),
    ...How,
  })
  .superRefine(refuseSharedMirrors);

export type ModelDownloadsBody = z.infer<typeof ModelRequest>;
export type InlineDownloadsBody = z.infer<typeof InlineRequest>;
export type CreateDownloadsInput = z.input<typeof ModelRequest> | z.input<typeof InlineRequest>;

/** Without the mark of its dialect, which only the whole document carries. */
const jsonSchemaOf = (schema: z.ZodType) => ({ ...z.toJSONSchema(schema, { io: 'input' }), $schema: undefined });

/**
 * What `POST /api/downloads` takes: files of a published model version, or files described on the spot.
 * The presence of `model` decides which, so that every mistake is reported against the right form.
 */
export const CreateDownloadsBody = z
  .unknown()
  .transform((body, context): ModelDownloadsBody | InlineDownloadsBody => {
    const form = typeof body === 'object' && body !== null && 'model' in body ? ModelRequest : InlineRequest;
    const parsed = form.safeParse(body);
    if (parsed.success) return parsed.data;
    for (const issue of parsed.error.issues) context.addIssue({ ...issue });
    return z.NEVER;
  })
  .refine((body) => body.host === undefined || body.hosts === undefined, {
    path: ['hosts'],
    error: 'give `host` or `hosts`, not both',
  })
  .meta({
    anyOf: [jsonSchemaOf(ModelRequest), jsonSchemaOf(InlineRequest)],
    examples: [
      { model: 'whisper-base', version: '1.2.0', host: 'gpu-017' },
      {
        name: 'whisper-config',
        files: [
          {
            path: 'config.json',
            sizeBytes: 2243,
            sha256: '3f1c5a0e7d0b8a6f4c2e9d7b5a3f1e0c8b6a4d2f0e9c7b5a3d1f8e6c4b2a0d9e',
            sources: [{ kind: 'huggingface', repo: 'onnx-community/whisper-base', revision: 'main' }],
          },
        ],
      },
    ],
  });

export type CreateDownloadsBody = z.infer<typeof CreateDownloadsBody>;

export const CreateDownloadsQuery = z.strictObject({
  trust: z
    .enum(['worker', 'rows'])
    .default('worker')
    .describe(
      '`worker`: the host is asked again for files that are recorded as complete; `rows`: the record is the answer',
    ),
});

export type CreateDownloadsQuery = z.infer<typeof CreateDownloadsQuery>;

const SourceShare = z.strictObject({
  source: z.string(),
  layer: z.enum(LAYER_NAMES),
  bytes: Count,
  wastedBytes: Count,
  badLeaves: Count,
  errors: Count,
});

export const Download = z
  .strictObject({
    id: z.uuid(),
    status: z.enum(DOWNLOAD_STATUSES),
    reason: z
      .string()
      .describe(
        'a code, why it is in this status: not_queued_yet, queued, repair_waits, host_unknown, host_offline, running, worker_silent, worker_shutdown, disk_full, ' +
          'sources_unavailable, retry, ' +
          'requested, verified, unverified, cache_hit, cancelled, or the kind of failure, such as deadline',
      ),
    message: z.string().describe('the same as a sentence'),
    model: z.strictObject({ name: z.string(), version: z.string().nullable() }).nullable(),
    file: z.string().describe('path of the file inside its model'),
    host: z.string().nullable().describe('null: any worker of the pool'),
    cid: z.string().nullable(),
    sha256: z.string().nullable(),
    sizeBytes: Count.nullable(),
    bytes: Count.describe('committed so far'),
    percent: z.number().min(0).max(100).nullable().describe('null while the size is not known'),
    bytesPerSecond: Count.nullable(),
    etaMs: Count.nullable(),
    attempts: Count,
    attemptsLeft: Count,
    source: z.string().nullable().describe('the source in use, or the one that gave most'),
    sources: z.array(SourceShare),
    outcome: z.enum(OUTCOMES).nullable(),
    verified: z.boolean().nullable().describe('false: nothing proved the bytes, and the request allowed that'),
    path: z.string().nullable().describe('where the file is on its host'),
    error: z.string().nullable(),
    version: z.string().describe('changes whenever the download changes; for `?after=`'),
    createdAt: Moment,
    deadlineAt: Moment.describe('until when sources that cannot be reached are waited for'),
    retryAt: Moment.nullable().describe('when a paused download is tried again by itself'),
    startedAt: Moment.nullable(),
    lastAttemptAt: Moment.nullable(),
    completedAt: Moment.nullable(),
    updatedAt: Moment,
    links: z.strictObject({ self: z.string(), resume: z.string(), pause: z.string(), cancel: z.string() }),
  })
  .meta({ id: 'Download' });

export type Download = z.infer<typeof Download>;

/** One try at one source inside an attempt. */
export const Try = z
  .strictObject({
    at: Moment,
    generation: Count,
    attempt: Count,
    sequence: Count,
    layer: z.enum(LAYER_NAMES),
    kind: z.enum(SOURCE_KINDS),
    source: z.string(),
    status: z.enum(['success', 'failure']),
    latencyMs: Count,
    bytes: Count,
    errorKind: z.string().nullable(),
    errorMessage: z.string().nullable(),
    reason: z.string().nullable(),
  })
  .meta({ id: 'Try' });

export type Try = z.infer<typeof Try>;

export const DownloadDetail = Download.extend({ tries: z.array(Try) }).meta({ id: 'DownloadDetail' });

export type DownloadDetail = z.infer<typeof DownloadDetail>;

/** The downloads that a request created or found. */
export const DownloadRequest = z
  .strictObject({
    request: z.strictObject({
      model: z.string().nullable(),
      version: z.string().nullable(),
      hosts: z.array(z.string()).describe('empty: the pool'),
      created: Count.describe('downloads that are new'),
      existing: Count.describe('downloads that were there already; their transfers are shared, not repeated'),
    }),
    downloads: z.array(Download).describe('empty when there are more than 100: follow `links.self`'),
    links: z.strictObject({ self: z.string().describe('the download, or the list of them') }),
  })
  .meta({ id: 'DownloadRequest' });

export type DownloadRequest = z.infer<typeof DownloadRequest>;

const StatusFilter = z
  .union([z.string(), z.array(z.string())])
  .transform((value) => (Array.isArray(value) ? value : value.split(',')))
  .pipe(z.array(z.enum(DOWNLOAD_STATUSES)))
  .describe('one or more, separated by commas');

const IdFilter = z
  .string()
  .transform((ids) => ids.split(','))
  .pipe(z.array(z.uuid('a download id is a UUID')).max(100, 'at most 100 ids at once'))
  .describe('up to 100 ids, separated by commas; other filters and pages do not apply');

export const ListDownloadsQuery = z.strictObject({
  status: StatusFilter.optional(),
  cid: Cid.optional(),
  model: ModelName.optional(),
  version: ModelVersion.optional(),
  host: HostName.optional(),
  id: IdFilter.optional(),
  cursor: Cursor.optional(),
  limit: Limit,
});

export type ListDownloadsQuery = z.infer<typeof ListDownloadsQuery>;

export const DownloadList = z
  .strictObject({
    downloads: z.array(Download),
    nextCursor: NextCursor,
    links: z.strictObject({ next: z.string().nullable() }),
  })
  .meta({ id: 'DownloadList' });

export type DownloadList = z.infer<typeof DownloadList>;

export const LimitBody = z.strictObject({
  bytesPerSecond: z
    .number()
    .int('a limit is a whole number')
    .min(1, 'a limit is at least 1 byte per second')
    .nullable()
    .describe('most bytes per second; null lifts the limit'),
});

export type LimitBody = z.infer<typeof LimitBody>;

export const DownloadParams = z.strictObject({ id: z.uuid('a download id is a UUID, as a create answered it') });

export const GetDownloadQuery = z.strictObject({
  wait: Wait.optional(),
  until: z
    .enum(['change', 'final'])
    .default('change')
    .describe('`change`: answer at the first change; `final`: only at success, failed or cancelled'),
  after: z.string().max(100).optional().describe('the `version` you know; left out: the one at the time of asking'),
});

export type GetDownloadQuery = z.infer<typeof GetDownloadQuery>;
