import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { allows, type Scope } from '#contracts/http/scopes';
import { RequestError } from '../server/request-error.ts';
import { readCredentials } from './credentials.ts';
import { checkRequests } from '../server/error-handler.ts';
import type { Authenticator, Caller } from './authenticate.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What a token must allow to call the route; `admin` where a guarded route does not say. */
    scope?: Scope;
  }
  interface FastifyRequest {
    caller: Caller | null;
  }
}

export interface GuardOptions {
  readonly authenticator: Authenticator;
  /** Basic credentials are sent by browsers on their own, so only pages accept them. */
  readonly schemes: readonly ('bearer' | 'basic')[];
}

/** Refuses requests to the routes of this plugin without a token whose scope allows them. */
export function guard(plugin: FastifyInstance, options: GuardOptions): void {
  if (!plugin.hasRequestDecorator('caller')) plugin.decorateRequest('caller', null);
  checkRequests(plugin, async (request, reply) => {
    const caller = await callerOf(request, reply, options);
    const needed = request.routeOptions.config.scope ?? 'admin';
    if (!allows(caller.scopes, needed))
      throw new RequestError(
        'forbidden',
        `this needs a token with the scope "${needed}" and "${caller.name}" has: ${caller.scopes.join(', ') || 'none'}`,
      );
    request.caller = caller;
  });
}

async function callerOf(request: FastifyRequest, reply: FastifyReply, options: GuardOptions): Promise<Caller> {
  const credentials = readCredentials(request.headers.authorization);
  const usable = credentials !== undefined && options.schemes.includes(credentials.scheme);
  const caller = usable ? await options.authenticator.authenticate(credentials.token) : undefined;
  if (caller !== undefined) return caller;
  void reply.header('www-authenticate', options.schemes.map(challenge).join(', '));
  throw new RequestError(
    'unauthenticated',
    usable
      ? 'the token is unknown, expired or mistyped'
      : 'send a token: "Authorization: Bearer haulier_pat_…"; the first one was printed when the API first started',
  );
}

const challenge = (scheme: 'bearer' | 'basic'): string =>
  scheme === 'bearer' ? 'Bearer realm="haulier"' : 'Basic realm="haulier", charset="UTF-8"';
