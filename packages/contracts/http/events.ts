import { z } from 'zod';
import { DOWNLOAD_STATUSES } from '#core/download-status';
import { LAYER_NAMES, OUTCOMES } from '#core/layer';
import { HostName } from '../worker/download-job.ts';
import { Count, Moment } from './parameters.ts';
import { Rollout } from './rollouts/rollout.ts';
import type { ScopeArea } from '#core/scopes';
import { SOURCE_STATES } from './sources.ts';

/** What a stream of events may be about. `progress` has the two events that desktop clients know. */
export const EVENT_TOPICS = ['downloads', 'progress', 'rollouts', 'hosts', 'sources', 'notices'] as const;

export type EventTopic = (typeof EVENT_TOPICS)[number];

/** The part of the API that a token has to be allowed to read for a topic. */
export const AREA_OF_TOPIC: Readonly<Record<EventTopic, ScopeArea>> = {
  downloads: 'downloads',
  progress: 'downloads',
  rollouts: 'rollouts',
  hosts: 'hosts',
  sources: 'sources',
  notices: 'hosts',
};

const Topics = z
  .string()
  .max(200)
  .transform((text) => [...new Set(text.split(','))])
  .pipe(
    z
      .array(z.enum(EVENT_TOPICS, { error: () => `a topic is one of ${EVENT_TOPICS.join(', ')}` }))
      .min(1, 'name at least one topic'),
  )
  .describe(`one or more of ${EVENT_TOPICS.join(', ')}, separated by commas; left out: all that the token may read`);

export const EventsQuery = z.strictObject({
  topics: Topics.optional(),
  rollout: z.uuid('a rollout id is a UUID').optional().describe('of the topic `rollouts` only this one'),
  host: HostName.optional().describe('of `hosts`, `notices`, `downloads` and `progress` only those of this host'),
  download: z.uuid('a download id is a UUID').optional().describe('of `downloads` and `progress` only this one'),
});

export type EventsQuery = z.infer<typeof EventsQuery>;

/** A stream id; `Last-Event-ID` brings it back. */
export const EVENT_ID = /^(\d{1,15})-(\d{1,10})$/;

const OfDownload = {
  host: z.string().nullable().describe('null: any worker of the pool'),
  model: z.string().nullable(),
  version: z.string().nullable(),
  file: z.string().describe('path of the file inside its model'),
};

/** A download started, stopped, ended or was changed by a request. Positions alone are `model_download_progress`. */
export const DownloadChanged = z.strictObject({
  type: z.literal('download.changed'),
  id: z.uuid(),
  status: z.enum(DOWNLOAD_STATUSES),
  ...OfDownload,
});

/** A rollout went on, or hosts of it did. `version` is that of `GET /api/rollouts/:id`. */
export const RolloutProgress = z.strictObject({
  type: z.literal('rollout.progress'),
  id: z.uuid(),
  version: z.string(),
  state: Rollout.shape.state,
  counts: Rollout.shape.counts,
});

/** A host reported, came, went, or was changed by a request. */
export const HostChanged = z.strictObject({ type: z.literal('host.changed'), id: z.string().describe('its name') });

/** What workers or an operator say of a source changed. */
export const SourceChanged = z.strictObject({
  type: z.literal('source.changed'),
  id: z.string(),
  layer: z.enum(LAYER_NAMES),
  origin: z.string(),
  state: z.enum(SOURCE_STATES),
});

export type SourceChanged = z.infer<typeof SourceChanged>;

/** A worker told something about its host, such as a damaged file. */
export const NoticeAdded = z.strictObject({
  type: z.literal('notice.added'),
  at: Moment,
  host: z.string().nullable(),
  notice: z.string(),
  model: z.string().nullable(),
  path: z.string().nullable(),
  message: z.string(),
});

const MaybeCount = Count.nullable();

/** Where a running download stands, at most once a second. The names are those that desktop clients know. */
export const ModelDownloadProgress = z.strictObject({
  type: z.literal('model_download_progress'),
  id: z.uuid(),
  ...OfDownload,
  status: z.enum(DOWNLOAD_STATUSES),
  bytes: Count.describe('bytes of the file that are on the disk of the host'),
  total: MaybeCount.describe('bytes of the file; null while that is not known'),
  remaining: MaybeCount.describe('bytes'),
  speed: Count.describe('bytes per second'),
  eta: z.number().min(0).nullable().describe('seconds; null while it is not known'),
  percent: z.number().min(0).max(100).nullable().describe('at most 99.9 until the file is verified'),
  gateway: z.string().nullable().describe('the source that gave most of the last second'),
  retries: Count.describe('tries at sources beyond the first'),
});

export type ModelDownloadProgress = z.infer<typeof ModelDownloadProgress>;

export type NoticeAdded = z.infer<typeof NoticeAdded>;

/** A download has ended. */
export const DownloadComplete = z.strictObject({
  type: z.literal('download_complete'),
  id: z.uuid(),
  ...OfDownload,
  status: z.enum(['success', 'failed', 'cancelled']),
  outcome: z.enum(OUTCOMES).nullable(),
  bytes: Count,
  total: MaybeCount,
  gateway: z.string().nullable().describe('the source that gave most bytes'),
  sha256: z.string().nullable(),
  verified: z.boolean().nullable(),
  path: z.string().nullable().describe('where the file is on its host'),
  error: z.string().nullable(),
});

export type DownloadComplete = z.infer<typeof DownloadComplete>;

/** Events may be missing: everything that is shown has to be read again. */
export const Reread = z.strictObject({ type: z.literal('reread'), reason: z.string() });

/**
 * Every event of `GET /api/events` and `/api/events/ws`. An event stream sends `type` as the event's name too; a WebSocket sends
 * each event as one text message.
 */
export const LiveEvent = z
  .discriminatedUnion('type', [
    DownloadChanged,
    RolloutProgress,
    HostChanged,
    SourceChanged,
    NoticeAdded,
    ModelDownloadProgress,
    DownloadComplete,
    Reread,
  ])
  .meta({ id: 'LiveEvent' });

export type LiveEvent = z.infer<typeof LiveEvent>;

/** An event as the fields of an event stream (HTML standard, section 9.2). */
export const StreamedEvent = z
  .strictObject({
    id: z
      .string()
      .regex(EVENT_ID)
      .optional()
      .describe('for `Last-Event-ID`; of several events at once the last has it'),
    event: z.enum(LiveEvent.options.map(({ shape }) => shape.type.value)).describe('`type` of the event'),
    data: z
      .string()
      .meta({ contentMediaType: 'application/json', contentSchema: { $ref: '#/components/schemas/LiveEvent' } })
      .describe('the event, a `LiveEvent`, in one line of JSON'),
  })
  .meta({ id: 'StreamedEvent' });
