import type { FastifyInstance } from 'fastify';

/**
 * Bodies are JSON or nothing. Fastify's `text/plain` parser goes, because a form of another site can send that
 * without asking. An empty body counts as no body, so that actions need none.
 */
export function acceptOnlyJson(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error');
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body === '') done(null, undefined);
    else void parse(request, body as string, done);
  });
}
