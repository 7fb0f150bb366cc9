import helmet from '@fastify/helmet';
import type { FastifyInstance } from 'fastify';

/** Nothing may be loaded, framed or submitted: right for answers that are data. */
const NOTHING = {
  'default-src': ["'none'"],
  'frame-ancestors': ["'none'"],
  'base-uri': ["'none'"],
  'form-action': ["'none'"],
};

/** For pages of ours that bring their own scripts; styles are inline in both swagger-ui and bull-board. */
export const PAGE_CSP = [
  "default-src 'self'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self' data:",
  "connect-src 'self'",
  "object-src 'none'",
  "base-uri 'self'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join('; ');

/**
 * Security headers of every answer. Transport security is left to the proxy that ends TLS, because the API
 * itself speaks plain HTTP on a private address.
 */
export async function registerSecurityHeaders(app: FastifyInstance): Promise<void> {
  await app.register(helmet, {
    contentSecurityPolicy: { useDefaults: false, directives: NOTHING },
    strictTransportSecurity: false,
    crossOriginResourcePolicy: { policy: 'same-origin' },
    referrerPolicy: { policy: 'no-referrer' },
    frameguard: { action: 'deny' },
  });
  app.addHook('onSend', async (request, reply) => {
    if (request.url.startsWith('/api/')) void reply.header('cache-control', 'no-store');
  });
}

/** Lets the answers of one plugin be pages: its own scripts, no third party. */
export function usePagePolicy(plugin: FastifyInstance): void {
  plugin.addHook('onSend', async (_request, reply) => {
    void reply.header('content-security-policy', PAGE_CSP);
  });
}
