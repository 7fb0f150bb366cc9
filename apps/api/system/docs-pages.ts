import swaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance } from 'fastify';
import { PAGE_CSP } from '../server/security-headers.ts';

/** Readable pages of the OpenAPI document at `/docs`, with nothing from a third party. */
export async function registerDocsPages(app: FastifyInstance): Promise<void> {
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    theme: { title: 'Haulier API' },
    uiConfig: { deepLinking: true, persistAuthorization: false, validatorUrl: null },
    staticCSP: PAGE_CSP,
  });
}
