import { z } from 'zod';
import { PAUSE_REASONS, ROLLOUT_STATES } from '#core/rollout/rollout-state';
import { Count, Moment } from '../parameters.ts';

const RolloutModel = z.strictObject({ name: z.string(), version: z.string(), files: Count, sizeBytes: Count });

const RolloutCounts = z.strictObject({
  targeted: Count.describe('the verdict is about them: matched at creation, without skipped and superseded ones'),
  succeeded: Count,
  alreadyPresent: Count.describe('of those that succeeded: had everything before'),
  failed: Count.describe('without those that timed out'),
  timedOut: Count,
  cancelled: Count,
  pending: Count,
  offline: Count,
  running: Count,
  unknown: Count.describe('have work, and their worker is silent'),
  skipped: Count,
  superseded: Count,
  late: Count.describe('joined a dynamic or holding rollout; in none of the other numbers'),
});

const ResolvedWave = z.strictObject({
  name: z.string(),
  hosts: Count.nullable(),
  percent: z.number().nullable(),
  gate: z.enum(['auto', 'manual']),
  soakMs: Count,
});

export const Rollout = z
  .strictObject({
    id: z.uuid(),
    state: z.enum(ROLLOUT_STATES),
    isFinal: z.boolean(),
    reason: z
      .string()
      .describe(
        `a code, why it stands there: the state; while it is paused one of ${PAUSE_REASONS.join(', ')}; while it is scheduled also start_time or window`,
      ),
    message: z.string().describe('the same as a sentence'),
    models: z.array(RolloutModel),
    selector: z.string(),
    exclude: z.array(z.string()),
    wave: z
      .strictObject({ index: z.number().int(), name: z.string(), of: Count })
      .nullable()
      .describe('null before the first'),
    waves: z.array(ResolvedWave),
    counts: RolloutCounts,
    threshold: z.strictObject({
      percent: z.number(),
      required: Count.describe('least number of hosts that must succeed'),
      allowedFailures: Count,
      met: z.boolean(),
    }),
    bytes: z
      .strictObject({ done: Count, total: Count, perSecond: Count })
      .describe('of the hosts that were dispatched'),
    originCopies: z
      .strictObject({
        copies: z
          .number()
          .nullable()
          .describe(
            'so far: bytes that its hosts took from origins, divided by the length of the files that they share',
          ),
        allowed: Count.describe('how many may leave the origin while other hosts can give them'),
      })
      .describe(
        'of files of at least 2 MiB that have a CID, while the hosts announced them; `copies` is null for none',
      ),
    offline: z.enum(['wait', 'skip', 'fail']),
    onFailure: z.enum(['stop', 'continue']),
    mode: z
      .enum(['download', 'activate'])
      .nullable()
      .describe('null: a host shows the models as soon as it has every file'),
    priority: z.number().int().nullable(),
    hold: z.boolean().describe('it was asked to hold once it succeeds'),
    isHolding: z.boolean().describe('it succeeded, and hosts that lack the models get them until it is released'),
    deadlineAt: Moment,
    startsAt: Moment.nullable(),
    soakUntil: Moment.nullable(),
    createdBy: z.string(),
    createdAt: Moment,
    startedAt: Moment.nullable(),
    endedAt: Moment.nullable(),
    updatedAt: Moment,
    version: z.string().describe('changes whenever the rollout or its progress changes; for `?after=`'),
    links: z.strictObject({
      self: z.string(),
      hosts: z.string(),
      errors: z.string(),
      events: z.string(),
      swarms: z.string(),
    }),
  })
  .meta({ id: 'Rollout' });

export type Rollout = z.infer<typeof Rollout>;

/** What a rollout would do. */
export const RolloutPlan = z
  .strictObject({
    dryRun: z.literal(true),
    models: z.array(RolloutModel),
    hosts: Count,
    offlineHosts: Count,
    sampleHosts: z.array(z.string()).describe('the first that would be taken, at most 10'),
    threshold: z.strictObject({ percent: z.number(), required: Count, allowedFailures: Count }),
    waves: z.array(z.strictObject({ name: z.string(), hosts: Count })),
    sites: z.array(
      z.strictObject({
        site: z.string(),
        hosts: Count,
        bytes: Count.describe('missing there'),
        freeBudgetBytes: Count.nullable().describe('what the byte budget of the site has left now; null: it has none'),
      }),
    ),
    bytes: z.strictObject({
      total: Count.describe('the models on every host'),
      present: Count.describe('recorded as there already'),
      missing: Count,
    }),
    hostsWithoutSpace: z
      .array(z.strictObject({ host: z.string(), freeBytes: Count, missingBytes: Count }))
      .describe('at most 100'),
    estimateSeconds: z
      .number()
      .nullable()
      .describe('from the rate at which downloads of the last day ran on average; null when there were none'),
    supersedes: z.array(z.uuid()).describe('rollouts that would lose hosts to it'),
  })
  .meta({ id: 'RolloutPlan' });

export type RolloutPlan = z.infer<typeof RolloutPlan>;
