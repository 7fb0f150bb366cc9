import { z } from 'zod';
import { LAYER_NAMES, SOURCE_KINDS } from '#core/layer';
import { DAY_MS, parseDuration } from '#core/units';
import { parsedBy } from '../parsed-by.ts';
import { Count, Moment } from './parameters.ts';

/**
 * `up`: nine of ten tries succeed, or nothing speaks against it; `degraded`: fewer; `down`: less than half, or the breakers of most workers are open;
 * `disabled`: an operator switched it off.
 */
export const SOURCE_STATES = ['up', 'degraded', 'down', 'disabled', 'unknown'] as const;

const MAX_EXPIRY_MS = 365 * DAY_MS;

const Expiry = parsedBy(z.string().max(20), (text) => {
  const ms = parseDuration(text);
  if (ms >= 1000 && ms <= MAX_EXPIRY_MS) return Math.round(ms);
  throw new RangeError(`"${text}" is not between 1s and 365d`);
}).describe('after this long the source is used again by itself: `2h`, `7d`; left out: until it is enabled');

const Note = z.string().trim().min(1, 'say why, for those who find it disabled').max(500).describe('why, for people');

export const SourceParams = z.strictObject({
  id: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,500}$/, 'a source id is copied unchanged from GET /api/sources')
    .describe('the `id` of GET /api/sources'),
});

export const DisableSourceBody = z.strictObject({ note: Note, expiresIn: Expiry.optional() });

export const EnableSourceBody = z.strictObject({ note: Note.optional() }).nullable();

const Rate = z.number().min(0).max(1).describe('0 to 1');

const Window = z.strictObject({
  tries: Count,
  successRate: Rate.nullable(),
  p50Ms: z.number().min(0).nullable().describe('median time of a try'),
  p95Ms: z.number().min(0).nullable(),
  bytes: Count.describe('bytes that were kept'),
});

/** What workers say of the source now; a worker counts for ten minutes after its last report. */
const Breakers = z.strictObject({
  closed: Count.describe('workers that ask it'),
  open: Count.describe('workers that do not ask it now'),
  halfOpen: Count.describe('workers whose next request is a trial'),
  openUntil: Moment.nullable().describe('when the last of the open ones asks again'),
});

/** How much the source lets workers ask, as far as it is known. */
const RateBudget = z.strictObject({
  requestsPerMinute: Count.nullable().describe('what it tolerates from one worker, where that is known'),
  connections: Count.nullable().describe('the fewest connections that any worker found it to accept'),
  waitMs: Count.describe('how long the fleet, or the worker that waits longest for a Retry-After, still waits'),
});

export const ListedSource = z
  .strictObject({
    id: z.string(),
    layer: z.enum(LAYER_NAMES),
    kind: z.enum(SOURCE_KINDS),
    origin: z.string().describe('scheme, host and port, or the path of a bundle'),
    place: Count.describe(
      'place in its layer now, from 1: as an admin set it, then as the fleet measures it; a worker goes by its own measurements',
    ),
    configuredPlace: Count.nullable().describe(
      'place that workers are configured with, from 1; null: named by manifests',
    ),
    setPlace: Count.nullable().describe('place in the order that an admin set, from 1; null: it is not in it'),
    score: z.number().min(0).describe('of what is measured'),
    why: z.string().describe('what the score is made of, in words'),
    state: z.enum(SOURCE_STATES),
    since: Moment.nullable().describe('since when it is in this state, where that is known'),
    reason: z.string().describe('why it is in this state'),
    breakers: Breakers,
    rateBudget: RateBudget,
    bytesPerSecond: Count.nullable().describe('mean over the workers that measured it'),
    lastHour: Window,
    lastDay: Window,
    shareOfBytes: Rate.nullable().describe('of all bytes of the last day'),
    lastError: z.string().nullable(),
    disabled: z
      .strictObject({
        note: z.string(),
        by: z.string(),
        at: Moment,
        until: Moment.nullable().describe('null: until it is enabled'),
      })
      .nullable(),
    links: z.strictObject({ self: z.string(), test: z.string(), disable: z.string(), enable: z.string() }),
  })
  .meta({ id: 'Source' });

export type ListedSource = z.infer<typeof ListedSource>;

export const SourceList = z
  .strictObject({ sources: z.array(ListedSource).describe('by layer, and in each layer in the order of `place`') })
  .meta({ id: 'SourceList' });

export type SourceList = z.infer<typeof SourceList>;

/** One request of the API process to the source. */
export const SourceTest = z
  .strictObject({
    id: z.string(),
    reachable: z.boolean().describe('it answered, and not with a server error'),
    status: z.number().int().nullable().describe('of its HTTP answer'),
    ms: z.number().min(0).describe('until the head of the answer, or the failure'),
    message: z.string(),
  })
  .meta({ id: 'SourceTest' });

export type SourceTest = z.infer<typeof SourceTest>;
