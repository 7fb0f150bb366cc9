import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { allows, areaOf, type Scope, type ScopeArea } from '#core/scopes';
import { RequestError } from '../server/errors/request-error.ts';
import { readCredentials } from './credentials.ts';
import { checkRequests } from '../server/errors/error-handler.ts';
import type { Authenticator, Caller } from './authenticate.ts';
import type { RequestLimits } from './request-limits.ts';
import { outsideLimits } from './token-limits.ts';
import { refuseOtherSites } from './users/origin.ts';
import { readSessionCookie } from './users/session-cookie.ts';
import type { Sessions } from './users/sessions.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What a token must allow to call the route; `admin` where a guarded route does not say, `any` for every valid token. */
    scope?: Scope | 'any';
    /** The handler checks the limits of the token itself; other writes are closed to a limited token. */
    checksTokenLimits?: boolean;
  }
  interface FastifyRequest {
    caller: Caller | null;
    /** Looks up the caller again, for connections that stay open; undefined when it may not call any more. */
    recheck: (() => Promise<Caller | undefined>) | null;
  }
}

export interface GuardOptions {
  readonly authenticator: Authenticator;
  readonly sessions: Sessions;
  readonly limits: RequestLimits;
  /** Basic carries a token as the password; only the queue board accepts it. A session is always accepted. */
  readonly schemes: readonly ('bearer' | 'basic')[];
}

/**
 * Refuses requests to the routes of this plugin without a token or a session whose scope allows them. A request with the header
 * `authorization` is judged by it alone.
 */
export function guard(plugin: FastifyInstance, options: GuardOptions): void {
  if (!plugin.hasRequestDecorator('caller')) plugin.decorateRequest('caller', null);
  if (!plugin.hasRequestDecorator('recheck')) plugin.decorateRequest('recheck', null);
  checkRequests(plugin, async (request, reply) => {
    const caller = await callerOf(request, reply, options);
    request.caller = caller;
    await options.limits.ofToken(request, reply);
    refuseWithoutScope(caller, request);
  });
}

function refuseWithoutScope(caller: Caller, { routeOptions: { url, config } }: FastifyRequest): void {
  const { scope = 'admin', checksTokenLimits = false } = config;
  if (scope === 'any') return;
  const area = areaOf(url ?? '');
  if (!allows(caller.scopes, scope, area)) throw missingScope(caller, scope, area);
  if (caller.limits !== undefined && scope !== 'read' && !checksTokenLimits)
    throw outsideLimits(caller, 'this changes more than that');
}

function missingScope({ name, userId, scopes }: Caller, scope: Scope, area: ScopeArea | undefined): RequestError {
  const needed = area === undefined || scope === 'admin' ? `"${scope}"` : `"${scope}" or "${area}:${scope}"`;
  const who = userId === null ? 'a token' : 'a user';
  const has = scopes.join(', ') || 'none';
  return new RequestError('forbidden', `this needs ${who} with the scope ${needed} and "${name}" has: ${has}`);
}

async function callerOf(request: FastifyRequest, reply: FastifyReply, options: GuardOptions): Promise<Caller> {
  if (request.headers.authorization === undefined) {
    const user = await userOf(request, options.sessions);
    if (user !== undefined) return user;
  }
  const credentials = readCredentials(request.headers.authorization);
  const usable = credentials !== undefined && options.schemes.includes(credentials.scheme);
  if (usable) request.recheck = () => options.authenticator.authenticate(credentials.token, request.ip);
  const caller = await request.recheck?.();
  if (caller !== undefined) return caller;
  await options.limits.ofStranger(request, reply);
  void reply.header('www-authenticate', options.schemes.map(challenge).join(', '));
  throw new RequestError(
    'unauthenticated',
    usable
      ? 'the token is unknown, expired or mistyped'
      : 'sign in, or send a token: "Authorization: Bearer haulier_pat_…"; the first one was printed when the API first started',
  );
}

/** @throws RequestError `cross-site` */
async function userOf(request: FastifyRequest, sessions: Sessions): Promise<Caller | undefined> {
  const cookie = readSessionCookie(request, sessions.limits.withoutTls);
  if (cookie === undefined) return undefined;
  refuseOtherSites(request);
  request.recheck = () => sessions.authenticate(cookie);
  return request.recheck();
}

const challenge = (scheme: 'bearer' | 'basic'): string =>
  scheme === 'bearer' ? 'Bearer realm="haulier"' : 'Basic realm="haulier", charset="UTF-8"';
