import { z } from 'zod';
import { ROLLOUT_HOST_STATES } from '#core/rollout/host-state';
import { ROLLOUT_STATES } from '#core/rollout/rollout-state';
import { ModelName } from '../../manifest.ts';
import { HostName } from '../../worker/download-job.ts';
import { Count, Limit, Moment, Page, pageOf, Wait } from '../parameters.ts';
import { Rollout } from './rollout.ts';

export const RolloutParams = z.strictObject({ id: z.uuid('a rollout id is a UUID, as a create answered it') });

const listOf = <Value extends string>(values: readonly [Value, ...Value[]]) =>
  z
    .string()
    .transform((text) => text.split(','))
    .pipe(z.array(z.enum(values)))
    .describe('one or more, separated by commas');

export const ListRolloutsQuery = z.strictObject({
  state: listOf(ROLLOUT_STATES).optional(),
  model: ModelName.optional(),
  ...Page,
});

export type ListRolloutsQuery = z.infer<typeof ListRolloutsQuery>;

export const RolloutList = pageOf('RolloutList', 'rollouts', Rollout);

export type RolloutList = z.infer<typeof RolloutList>;

export const GetRolloutQuery = z.strictObject({
  wait: Wait.optional(),
  until: z.enum(['change', 'final']).default('change'),
  after: z.string().max(100).optional().describe('the `version` you know; left out: the one at the time of asking'),
});

export type GetRolloutQuery = z.infer<typeof GetRolloutQuery>;

export const RolloutHost = z
  .strictObject({
    host: z.string(),
    site: z.string(),
    wave: z.string().nullable(),
    state: z.enum(ROLLOUT_HOST_STATES),
    reason: z.string().nullable().describe('failure class of a failed host'),
    message: z.string().nullable(),
    alreadyPresent: z.boolean(),
    isLate: z.boolean(),
    bytes: Count,
    totalBytes: Count,
    bytesPerSecond: Count,
    dispatchedAt: Moment.nullable(),
    endedAt: Moment.nullable(),
    updatedAt: Moment,
  })
  .meta({ id: 'RolloutHost' });

export type RolloutHost = z.infer<typeof RolloutHost>;

export const ListRolloutHostsQuery = z.strictObject({
  state: listOf(ROLLOUT_HOST_STATES).optional(),
  reason: z.string().max(60).optional().describe('failure class'),
  q: z.string().max(100).optional().describe('part of the name'),
  ...Page,
});

export type ListRolloutHostsQuery = z.infer<typeof ListRolloutHostsQuery>;

export const RolloutHostList = pageOf('RolloutHostList', 'hosts', RolloutHost);

export type RolloutHostList = z.infer<typeof RolloutHostList>;

export const RolloutErrors = z
  .strictObject({
    errors: z.array(
      z.strictObject({
        reason: z.string(),
        count: Count,
        message: z.string().nullable().describe('of one of them'),
        firstAt: Moment.nullable(),
        lastAt: Moment.nullable(),
        hosts: z.array(z.string()).describe('at most 10'),
      }),
    ),
  })
  .meta({ id: 'RolloutErrors' });

export type RolloutErrors = z.infer<typeof RolloutErrors>;

export const ListRolloutEventsQuery = z.strictObject({
  after: z.coerce.number().int().min(0).default(0).describe('the `sequence` of the last event you have'),
  limit: Limit,
});

export const RolloutEvents = z
  .strictObject({
    events: z.array(
      z.strictObject({
        sequence: Count,
        at: Moment,
        host: z.string().nullable().describe('null: the rollout itself'),
        event: z.string(),
        from: z.string().nullable(),
        to: z.string(),
        message: z.string().nullable(),
        actor: z.string().nullable().describe('the token that asked for it'),
      }),
    ),
  })
  .meta({ id: 'RolloutEvents' });

export type RolloutEvents = z.infer<typeof RolloutEvents>;

export const RetryRolloutBody = z
  .strictObject({
    hosts: z.array(HostName).min(1).max(10_000).optional().describe('only these; left out: every failed one'),
    reasons: z.array(z.string().max(60)).min(1).max(50).optional().describe('only these failure classes'),
  })
  .nullish();
