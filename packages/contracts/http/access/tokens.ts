import { z } from 'zod';
import { DAY_MS, MINUTE_MS, parseDuration } from '#core/units';
import { SelectorText } from '../../labels.ts';
import { parsedBy } from '../../parsed-by.ts';
import { Moment, Page, pageOf } from '../parameters.ts';
import { TOKEN_SCOPES } from '#core/scopes';

const MAX_LIFE_MS = 3650 * DAY_MS;
const MAX_PATTERNS = 100;

/** Kinds that are made on request: `pat` belongs to a person, `ci` to a pipeline. */
export const GIVEN_TOKEN_KINDS = ['pat', 'ci'] as const;

const ModelPattern = z
  .string()
  .regex(
    /^[a-z0-9*][a-z0-9*._-]{0,99}$/,
    'write a model name, in which * stands for any characters, such as whisper-*',
  );

export const CreateTokenBody = z
  .strictObject({
    name: z
      .string()
      .trim()
      .min(1, 'a name is 1 to 100 characters')
      .max(100, 'a name is 1 to 100 characters')
      .describe('for people; the audit shows it as the actor'),
    kind: z.enum(GIVEN_TOKEN_KINDS).default('pat').describe('`pat` is for a person, `ci` for a pipeline'),
    scopes: z
      .array(z.string().refine((scope) => TOKEN_SCOPES.includes(scope), `a scope is one of ${TOKEN_SCOPES.join(', ')}`))
      .min(1, 'give at least one scope')
      .max(TOKEN_SCOPES.length)
      .describe('`read`, `write`, `admin`, or for one part of the API, such as `rollouts:write`'),
    expiresIn: parsedBy(z.string().max(20), parseDuration)
      .refine((ms) => ms >= MINUTE_MS && ms <= MAX_LIFE_MS, 'a token lives for 1m to 3650d, such as 90d')
      .optional()
      .describe('left out: until it is revoked'),
    models: z
      .array(ModelPattern)
      .max(MAX_PATTERNS)
      .default([])
      .describe('names of the models that it may deploy; `*` stands for any characters. Empty: all'),
    selector: SelectorText.optional().describe('of the hosts that it may deploy to; left out: all'),
  })
  .refine(({ scopes, models, selector }) => !scopes.includes('admin') || (models.length === 0 && !selector), {
    path: ['scopes'],
    error: 'an admin token cannot be limited, because it can make tokens without limits: give write instead',
  })
  .meta({
    examples: [
      {
        name: 'deploy of whisper',
        kind: 'ci',
        scopes: ['write'],
        expiresIn: '90d',
        models: ['whisper-*'],
        selector: 'gpu=true',
      },
    ],
  });

export type CreateTokenBody = z.infer<typeof CreateTokenBody>;
export type CreateTokenInput = z.input<typeof CreateTokenBody>;

export const TOKEN_STATES = ['active', 'expired', 'revoked'] as const;

export const Token = z
  .strictObject({
    id: z.uuid(),
    name: z.string(),
    kind: z.string(),
    last4: z.string().describe('its last four characters'),
    scopes: z.array(z.string()),
    models: z.array(z.string()).describe('empty: all'),
    selector: z.string().nullable().describe('null: every host'),
    state: z.enum(TOKEN_STATES),
    createdAt: Moment,
    createdBy: z.string().nullable(),
    expiresAt: Moment.nullable(),
    lastUsedAt: Moment.nullable().describe('to the minute'),
    lastUsedIp: z.string().nullable(),
    revokedAt: Moment.nullable(),
  })
  .meta({ id: 'Token' });

export type Token = z.infer<typeof Token>;

/** The only answer that has the token itself. */
export const NewToken = Token.extend({
  token: z.string().describe('shown once: only a keyed hash of it is kept'),
}).meta({ id: 'NewToken' });

export type NewToken = z.infer<typeof NewToken>;

export const TokenParams = z.strictObject({ id: z.uuid('a token id is a UUID, as GET /api/tokens shows it') });

export const ListTokensQuery = z.strictObject({
  state: z.enum([...TOKEN_STATES, 'all']).default('active'),
  ...Page,
});

export type ListTokensQuery = z.infer<typeof ListTokensQuery>;

export const TokenList = pageOf('TokenList', 'tokens', Token);

export type TokenList = z.infer<typeof TokenList>;
