import fastifyStatic from '@fastify/static';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { App } from '../server/app-type.ts';

/** Pages of the dashboard: the program in the browser decides what an address below them shows. */
const PAGES = [
  '/',
  '/login',
  ...[
    'rollouts',
    'hosts',
    'models',
    'downloads',
    'bulk-actions',
    'swarms',
    'sources',
    'charts',
    'audit',
    'settings',
  ].flatMap((place) => [`/${place}`, `/${place}/*`]),
];

/**
 * Everything from this origin and nothing inline: an injected script does not run. The style attribute of an element is allowed, because
 * positions of menus and lengths of bars are set there.
 */
const CSP = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "style-src-attr 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const YEAR_S = 365 * 24 * 60 * 60;

/**
 * Serves the built pages: files under `/assets/` have a digest in their name and are kept for ever; `index.html` is asked for each time, so
 * that a new version is seen at the next load. They are served without a session, because they hold no data.
 *
 * @param folder `dist/dashboard`
 */
export async function registerDashboard(app: App, folder: string): Promise<void> {
  const page = await readFile(join(folder, 'index.html'));
  await app.register(async (plugin) => {
    plugin.addHook('onSend', async (_request, reply) => {
      void reply.header('content-security-policy', CSP);
    });
    await plugin.register(fastifyStatic, {
      root: join(folder, 'assets'),
      prefix: '/assets/',
      index: false,
      // A route for each file: another address is unknown to the router, like everywhere else.
      wildcard: false,
      decorateReply: false,
      schemaHide: true,
      cacheControl: false,
      preCompressed: true,
      setHeaders: (reply) => {
        reply.header('cache-control', `public, max-age=${YEAR_S}, immutable`);
      },
    });
    for (const path of PAGES)
      plugin.get(path, { schema: { hide: true } }, async (_request, reply) =>
        reply.type('text/html; charset=utf-8').header('cache-control', 'no-cache').send(page),
      );
  });
}
