import { z } from 'zod';
import { HOST_NAME, HOST_NAME_RULE } from '#core/text/host-name';
import { HostName } from '../../worker/download-job.ts';
import { Count, Moment } from '../parameters.ts';

const HOUR_S = 3600;
const MIN_LIFE_S = 60;
const MAX_LIFE_S = 30 * 24 * HOUR_S;
const LIFE_RULE = 'a token is good for 60 to 2592000 seconds (30 days)';

export const CreateEnrolmentTokenBody = z
  .strictObject({
    host: HostName.optional().describe(
      'the one host that may enrol with it, also when it is enrolled already; left out: any host that is not enrolled',
    ),
    pool: z
      .boolean()
      .default(false)
      .describe('`true`: the host may also run jobs of the pool and checks for newer versions'),
    expiresInSeconds: z
      .number()
      .int('a life is a whole number of seconds')
      .min(MIN_LIFE_S, LIFE_RULE)
      .max(MAX_LIFE_S, LIFE_RULE)
      .default(HOUR_S),
  })
  .meta({ examples: [{ host: 'gpu-017' }] });

export type CreateEnrolmentTokenInput = z.input<typeof CreateEnrolmentTokenBody>;

export const EnrolmentToken = z
  .strictObject({
    id: z.uuid(),
    last4: z.string(),
    host: z.string().nullable().describe('null: any host that is not enrolled'),
    pool: z.boolean(),
    state: z.enum(['usable', 'used', 'expired', 'revoked']),
    usedBy: z.string().nullable().describe('the host that enrolled with it'),
    createdBy: z.string(),
    createdAt: Moment,
    expiresAt: Moment,
  })
  .meta({ id: 'EnrolmentToken' });

export type EnrolmentToken = z.infer<typeof EnrolmentToken>;

export const CreatedEnrolmentToken = EnrolmentToken.extend({
  token: z.string().describe('shown this once: only its hash is kept'),
}).meta({ id: 'CreatedEnrolmentToken' });

export type CreatedEnrolmentToken = z.infer<typeof CreatedEnrolmentToken>;

export const EnrolmentTokenList = z
  .strictObject({ tokens: z.array(EnrolmentToken) })
  .meta({ id: 'EnrolmentTokenList' });

export type EnrolmentTokenList = z.infer<typeof EnrolmentTokenList>;

export const EnrolmentTokenParams = z.strictObject({ id: z.uuid('an id of a token is a UUID') });

/** 32 bytes in base64. */
const PUBLIC_KEY = /^[A-Za-z0-9+/]{43}=$/;

export const EnrolBody = z.strictObject({
  host: z.string().regex(HOST_NAME, HOST_NAME_RULE).describe('in the case that people shall see it in'),
  publicKey: z
    .string()
    .regex(PUBLIC_KEY, 'a public key of Ed25519 has 32 bytes, in base64')
    .describe('Ed25519, 32 bytes in base64; the private half stays on the host'),
});

export type EnrolBody = z.infer<typeof EnrolBody>;

/** What a host keeps of its enrolment. */
export const Enrolled = z
  .strictObject({
    hostId: z.uuid(),
    host: z.string(),
    pool: z.boolean(),
    workerToken: z.string().describe('for calls of the API; shown this once'),
    redis: z.strictObject({
      url: z.string().describe('address of Redis, without a login'),
      user: z.string(),
      password: z.string().describe('shown this once'),
      prefix: z.string(),
    }),
  })
  .meta({ id: 'Enrolled' });

export type Enrolled = z.infer<typeof Enrolled>;

/** The host that a worker token belongs to. */
export const EnrolledSelf = z
  .strictObject({ hostId: z.uuid(), host: z.string(), pool: z.boolean(), enrolledAt: Moment })
  .meta({ id: 'EnrolledSelf' });

export type EnrolledSelf = z.infer<typeof EnrolledSelf>;

export const RevokedHost = z.strictObject({ name: z.string(), revokedAt: Moment }).meta({ id: 'RevokedHost' });

export type RevokedHost = z.infer<typeof RevokedHost>;

export const RefusedEvents = z
  .strictObject({
    host: z.string(),
    reason: z.enum(['unsigned', 'forged', 'revoked', 'replayed', 'foreign']),
    hour: Moment,
    batches: Count,
    events: Count,
    firstAt: Moment,
    lastAt: Moment,
    detail: z.string().describe('of the last one'),
  })
  .meta({ id: 'RefusedEvents' });

export const RefusedEventsList = z.strictObject({ refused: z.array(RefusedEvents) }).meta({ id: 'RefusedEventsList' });

export type RefusedEventsList = z.infer<typeof RefusedEventsList>;
