import type { FastifyInstance } from 'fastify';
import type { Span, Tracing } from '#tracing/tracing';

declare module 'fastify' {
  interface FastifyRequest {
    /** Null where nothing is traced. */
    span: Span | null;
  }
}

/** What orchestrators and Prometheus ask all the time. */
const UNTRACED = ['/livez', '/readyz', '/metrics'];

/** Makes a span of each request; it continues the trace of the client, and is named after the route, without values. */
export function traceRequests(app: FastifyInstance, tracing: Tracing): void {
  app.decorateRequest('span', null);
  app.addHook('onRequest', async (request) => {
    const { method, headers, routeOptions, id } = request;
    const route = routeOptions.url ?? 'unknown';
    if (UNTRACED.includes(route)) return;
    const { traceparent } = headers;
    const parent = typeof traceparent === 'string' ? traceparent : undefined;
    const facts = { 'http.request.method': method, 'http.route': route, 'haulier.request_id': id };
    request.span = tracing.begin(`${method} ${route}`, { kind: 'server', parent, facts }) ?? null;
  });
  app.addHook('onResponse', async ({ span }, { statusCode }) => {
    span?.add({ 'http.response.status_code': statusCode });
    if (statusCode >= 500) span?.fail(`status ${statusCode}`);
    span?.end();
  });
}
