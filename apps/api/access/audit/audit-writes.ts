import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { PROBLEMS } from '#contracts/http/problem';
import { parseJson } from '#core/text/parse-json';
import { beginAudit, completeAudit, type AuditStart } from '#database/access/audit-queries';
import type { Database } from '#database/sql/connect';
import type { Dependencies } from '../../dependencies.ts';
import { redacted } from './redact.ts';

/** What a handler says of its write; what it leaves out is taken from the request and the answer. */
export interface AuditNote {
  readonly target?: string;
  readonly before?: unknown;
  readonly after?: unknown;
}

interface OpenAudit {
  readonly sequence: number;
  note: AuditNote;
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** False: what is sent is left out, because it may hold a password. */
    auditsBody?: false;
  }
  interface FastifyRequest {
    audit: OpenAudit | null;
  }
}

type AuditDeps = Pick<Dependencies, 'database' | 'now' | 'log'>;

const READING = ['GET', 'HEAD', 'OPTIONS'];

/**
 * Writes a row of the audit for every write of the routes of this plugin. The row is there before the work begins, so a write whose process
 * is killed has one too; without Postgres nothing is carried out. The guard has to be registered first: it says who asks.
 */
export function auditWrites(plugin: FastifyInstance, deps: AuditDeps): void {
  if (!plugin.hasRequestDecorator('audit')) plugin.decorateRequest('audit', null);
  plugin.addHook('preHandler', async (request) => {
    if (isWrite(request))
      request.audit = { sequence: await beginAudit(deps.database, startOf(request, deps.now())), note: {} };
  });
  plugin.addHook('onSend', async (request, reply, payload) => {
    if (isWrite(request) && request.caller && reply.statusCode !== PROBLEMS['too-many-requests'].status)
      await complete(deps, request, reply, payload);
  });
}

/** Adds to the row of this request. */
export function noteForAudit(request: FastifyRequest, note: AuditNote): void {
  if (request.audit !== null) request.audit.note = { ...request.audit.note, ...note };
}

/** A write that no request asked for. */
export async function recordLocalWrite(
  database: Database,
  write: {
    readonly actor: string;
    readonly now: Date;
    readonly action: string;
    readonly target: string;
    readonly after?: unknown;
  },
): Promise<void> {
  const { actor, now, action, target, after = null } = write;
  const none = { requestId: null, tokenId: null, userId: null, method: null, path: null, ip: null, request: null };
  const sequence = await beginAudit(database, { ...none, at: now, actor, action });
  await completeAudit(database, sequence, { target, before: null, after: redacted(after), status: 0, result: 'done' });
}

/** A session that began or ended: the request has no caller that the guard knows, and its body is left out. */
export async function recordSession(
  { database, now }: AuditDeps,
  request: FastifyRequest,
  { user, action }: { readonly user: { readonly id: string; readonly name: string }; readonly action: string },
): Promise<void> {
  const { id: requestId, method, ip, url } = request;
  const who = { tokenId: null, userId: user.id, actor: user.name };
  const path = url.split('?', 1)[0]!;
  const start = { ...who, at: now(), requestId, action, method, path, ip, request: null };
  const sequence = await beginAudit(database, start);
  const end = { target: `users/${user.name}`, before: null, after: null };
  await completeAudit(database, sequence, { ...end, status: 200, result: 'done' });
}

/** A dry run changes nothing. */
const isWrite = ({ method, query, routeOptions }: FastifyRequest): boolean =>
  !READING.includes(method) &&
  routeOptions.url !== undefined &&
  (query as { dryRun?: unknown } | undefined)?.dryRun !== true;

function startOf(request: FastifyRequest, at: Date): AuditStart {
  const { id, caller, routeOptions, method, ip, body, query } = request;
  const hasBody = body != null && routeOptions.config.auditsBody !== false;
  const hasQuery = Object.keys((query as object | undefined) ?? {}).length > 0;
  return {
    at,
    requestId: id,
    tokenId: caller?.tokenId ?? null,
    userId: caller?.userId ?? null,
    actor: caller?.name ?? 'unknown',
    action: operationIdOf(request) ?? `${method} ${routeOptions.url}`,
    method,
    path: request.url.split('?', 1)[0]!,
    ip,
    request: redacted({ ...(hasBody ? { body } : {}), ...(hasQuery ? { query } : {}) }),
  };
}

const operationIdOf = ({ routeOptions }: FastifyRequest): string | undefined =>
  (routeOptions.schema as { operationId?: string } | undefined)?.operationId;

/** Also for a request that was refused before its handler, such as one with a bad field or without the scope. */
async function complete(
  { database, now, log }: AuditDeps,
  request: FastifyRequest,
  reply: FastifyReply,
  payload: unknown,
): Promise<void> {
  try {
    const sequence = request.audit?.sequence ?? (await beginAudit(database, startOf(request, now())));
    const { target = targetOf(request, reply), before, after } = request.audit?.note ?? {};
    const { statusCode } = reply;
    const end = { target, before: redacted(before), after: redacted(after), status: statusCode };
    await completeAudit(database, sequence, { ...end, result: resultOf(statusCode, payload) });
  } catch (err) {
    // The work is done and answered either way; the row that was written first stays, without an end.
    log.error({ err, requestId: request.id }, 'audit of a write was not completed');
  }
}

/** `hosts/gpu-017` of `/api/hosts/gpu-017/labels`; of a request that made something the place that it answers. */
function targetOf(request: FastifyRequest, reply: FastifyReply): string | null {
  const location = reply.getHeader('location');
  if (typeof location === 'string') return location.replace(/^\/api\//, '');
  const [value] = Object.values((request.params as Record<string, string> | undefined) ?? {});
  const collection = request.routeOptions.url?.split('/')[2];
  return value === undefined || collection === undefined ? null : `${collection}/${value}`;
}

function resultOf(status: number, payload: unknown): string {
  if (status < 400) return 'done';
  const problem = typeof payload === 'string' ? parseJson(payload) : undefined;
  const code = (problem as { code?: unknown } | undefined)?.code;
  return typeof code === 'string' ? code : `status ${status}`;
}
