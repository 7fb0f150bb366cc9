import type { FastifyInstance, FastifyRequest } from 'fastify';
import { SIGN_IN_PAGE } from '#contracts/http/access/session';
import { readSessionCookie } from './session-cookie.ts';
import type { Sessions } from './sessions.ts';

/** Pages of a plugin that a browser opens without a session lead to the page to sign in, and back; must come before the guard. */
export function sendPagesToSignIn(plugin: FastifyInstance, sessions: Sessions): void {
  plugin.addHook('onRequest', async (request, reply) => {
    if (!isOpenedInBrowser(request) || request.headers.authorization !== undefined) return undefined;
    const cookie = readSessionCookie(request, sessions.limits.withoutTls);
    if (cookie !== undefined && (await sessions.authenticate(cookie)) !== undefined) return undefined;
    return reply.redirect(`${SIGN_IN_PAGE}?next=${encodeURIComponent(request.url)}`, 303);
  });
}

const isOpenedInBrowser = ({ method, headers }: FastifyRequest): boolean =>
  method === 'GET' && (headers['sec-fetch-mode'] === 'navigate' || headers.accept?.includes('text/html') === true);
