import type { FastifyInstance } from 'fastify';

/**
 * A body is JSON or empty. Fastify's `text/plain` parser is removed, because a form of another site can send that type
 * without a preflight. An empty body counts as no body, so that actions need none.
 */
export function acceptOnlyJson(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error');
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body === '') done(null, undefined);
    else void parse(request, body as string, done);
  });
}
