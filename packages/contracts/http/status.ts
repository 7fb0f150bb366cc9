import { z } from 'zod';
import { DOWNLOAD_STATUSES } from '#core/download-status';
import { Count, Moment, NextCursor } from './parameters.ts';

const ComponentHealth = z.strictObject({
  status: z.enum(['up', 'down']),
  message: z.string().nullable().describe('what is wrong and what to do, in one sentence'),
});

export const Liveness = z.strictObject({ status: z.literal('alive') });

export const Readiness = z
  .strictObject({
    status: z.enum(['ready', 'not_ready']),
    missing: z.array(z.string()).describe('one sentence for each thing that is missing'),
    components: z.record(z.string(), ComponentHealth),
  })
  .meta({ id: 'Readiness' });

export type Readiness = z.infer<typeof Readiness>;

export const Host = z
  .strictObject({
    name: z.string(),
    status: z.enum(['online', 'offline']).describe('online: heard from within HAULIER_HOST_OFFLINE_AFTER'),
    draining: z.boolean().describe('rollouts do not begin with it until it is undrained'),
    enrolment: z
      .enum(['none', 'enrolled', 'revoked'])
      .describe('enrolled: events count only with the signature of its key; revoked: none count'),
    labels: z
      .record(z.string(), z.string())
      .describe('what selectors match: labels that were set, of the worker, and facts'),
    setLabels: z.record(z.string(), z.string()).describe('set through the API; they win'),
    workerLabels: z.record(z.string(), z.string()).describe('HAULIER_LABELS of the worker'),
    lastSeenAt: Moment.nullable(),
    workerVersion: z.string().nullable(),
    storeBytes: Count.nullable(),
    freeBytes: Count.nullable(),
    memoryBytes: Count.nullable(),
    fileCount: Count.nullable(),
    createdAt: Moment,
  })
  .meta({ id: 'Host' });

export type Host = z.infer<typeof Host>;

const DriftFile = z.strictObject({
  state: z.enum(['missing', 'corrupt', 'extra', 'old']),
  model: z.string().nullable().describe('null, as are version and path: content that no model names'),
  version: z.string().nullable(),
  path: z.string().nullable(),
  sha256: z.string().nullable(),
  sizeBytes: Count.nullable(),
  downloadId: z.uuid().nullable().describe('the download that brings it back'),
  repairWaits: z.boolean().describe('waits until fewer hosts of its site are being repaired'),
});

/** How what a host has differs from what is wanted there. */
const Drift = z.strictObject({
  comparedAt: Moment.nullable().describe("when the host read its disk for the last comparison, by the host's clock"),
  missing: Count.describe('published files that are gone and not there again yet'),
  corrupt: Count.describe('published files that were damaged and are not there again yet'),
  extra: Count.describe('files that no download put there'),
  old: Count.describe('files of versions while another one is wanted; they stay for a rollback until the sweep'),
  repairWaits: Count.describe(
    'of the missing and corrupt ones: how many wait until fewer hosts of the site are being repaired',
  ),
  files: z.array(DriftFile).describe('the first 100 missing and corrupt ones, and the first 100 others'),
});

/** How the version of a model that is wanted on a host stands there. */
export const DESIRED_STATES = ['present', 'on_its_way', 'paused', 'failed', 'cancelled'] as const;

const DesiredModel = z.strictObject({
  model: z.string(),
  version: z.string(),
  state: z
    .enum(DESIRED_STATES)
    .describe('present: every file that was asked for is there, by the last report or inventory of the host'),
  files: Count,
  presentFiles: Count,
  decidedAt: Moment.describe('when it was decided; a later decision about the model replaces it'),
  rolloutId: z.uuid().nullable().describe('the rollout that decided it; null: a request for downloads'),
});

export const HostDetail = Host.extend({
  desired: z.array(DesiredModel).describe('what is wanted there: one version of each model, by the last decision'),
  drift: Drift,
}).meta({ id: 'HostDetail' });

export type HostDetail = z.infer<typeof HostDetail>;

export const HostList = z.strictObject({ hosts: z.array(Host), nextCursor: NextCursor }).meta({ id: 'HostList' });

export type HostList = z.infer<typeof HostList>;

const Notice = z.strictObject({
  at: Moment,
  host: z.string().nullable(),
  notice: z.string(),
  model: z.string().nullable(),
  path: z.string().nullable(),
  message: z.string(),
});

export const SystemStatus = z
  .strictObject({
    version: z.string(),
    status: z.enum(['ready', 'not_ready']),
    components: z.record(z.string(), ComponentHealth),
    downloads: z.record(z.enum(DOWNLOAD_STATUSES), Count),
    newerVersions: z.array(z.strictObject({ model: z.string(), current: z.string().nullable(), newer: z.string() })),
    storeWarnings: z.array(z.strictObject({ host: z.string(), at: Moment, message: z.string() })),
    notices: z.array(Notice),
    events: z.strictObject({
      applied: Count,
      dropped: Count.describe('events that named no download of ours, or could not be read'),
    }),
  })
  .meta({ id: 'SystemStatus' });

export type SystemStatus = z.infer<typeof SystemStatus>;
