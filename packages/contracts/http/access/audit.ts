import { z } from 'zod';
import { Moment, Page, pageOf } from '../parameters.ts';

/** One write of the API, or of its start and its command line. */
export const AuditEntry = z
  .strictObject({
    sequence: z.number().int(),
    at: Moment,
    requestId: z.string().nullable().describe('as in the header `x-request-id` of the answer and in the log'),
    tokenId: z.uuid().nullable().describe('null: a user, or no request but the start of the API or its command line'),
    userId: z.uuid().nullable().describe('the user who was signed in; null: a token, or no request'),
    actor: z.string().describe('name of the user or of the token'),
    action: z.string().describe('the operationId of the request'),
    method: z.string().nullable(),
    path: z.string().nullable(),
    target: z.string().nullable().describe('such as `hosts/gpu-017`'),
    ip: z.string().nullable().describe('of the connection; behind a proxy that of the proxy'),
    request: z.unknown().nullable().describe('body and query, without secrets, shortened'),
    before: z.unknown().nullable(),
    after: z.unknown().nullable(),
    status: z.number().int().nullable().describe('of the answer; null: the process ended before it'),
    result: z.string().describe('`done`, the code of the problem, or `unknown` without an answer'),
  })
  .meta({ id: 'AuditEntry' });

export type AuditEntry = z.infer<typeof AuditEntry>;

export const ListAuditQuery = z.strictObject({
  actor: z.string().max(200).optional(),
  tokenId: z.uuid('a token id is a UUID').optional(),
  userId: z.uuid('a user id is a UUID').optional(),
  action: z.string().max(100).optional(),
  target: z.string().max(300).optional().describe('the beginning of it, such as `hosts/` or `rollouts/3f…`'),
  result: z.string().max(60).optional(),
  requestId: z.string().max(100).optional(),
  since: z.iso.datetime({ offset: true, error: 'a time is ISO 8601, such as 2026-11-29T00:00:00Z' }).optional(),
  until: z.iso.datetime({ offset: true, error: 'a time is ISO 8601, such as 2026-11-29T00:00:00Z' }).optional(),
  ...Page,
});

export type ListAuditQuery = z.infer<typeof ListAuditQuery>;

export const AuditList = pageOf('AuditList', 'entries', AuditEntry);

export type AuditList = z.infer<typeof AuditList>;
