import fastifyStatic from '@fastify/static';
import type { FastifyRequest } from 'fastify';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { OVERVIEW_ASKS } from '#contracts/http/overview-asks';
import { readSessionCookie } from '../access/users/session-cookie.ts';
import type { Sessions } from '../access/users/sessions.ts';
import type { App } from '../server/app-type.ts';

/** Pages of the dashboard beside the overview: the program in the browser decides what an address below them shows. */
const PAGES = [
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
 * that a new version is seen at the next load. They are served without a session, because they hold no data; with one, the overview names what
 * the browser should ask ahead.
 *
 * @param folder `dist/dashboard`
 */
export async function registerDashboard(app: App, folder: string, sessions: Sessions): Promise<void> {
  const page = await readFile(join(folder, 'index.html'), 'utf8');
  const overview = withAsks(page);
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
    plugin.get('/', { schema: { hide: true } }, async (request, reply) =>
      reply
        .type('text/html; charset=utf-8')
        .header('cache-control', 'no-cache')
        .send((await isSignedIn(request, sessions)) ? overview : page),
    );
  });
}

/** The page with a link for each question; the links come last, so that scripts and styles are loaded first. */
function withAsks(page: string): string {
  const links = OVERVIEW_ASKS.map(({ path, query }) => {
    const values = new URLSearchParams();
    for (const [name, value] of Object.entries(query)) values.set(name, String(value));
    const href = values.size === 0 ? path : `${path}?${values}`;
    return `<link rel="preload" as="fetch" crossorigin href="${href.replaceAll('&', '&amp;')}">`;
  });
  return page.replace('</head>', `${links.join('\n')}</head>`);
}

/** Without a session each question would be refused, and noted by the browser as an error. False also while the database is away. */
async function isSignedIn(request: FastifyRequest, sessions: Sessions): Promise<boolean> {
  const cookie = readSessionCookie(request, sessions.limits.withoutTls);
  if (cookie === undefined) return false;
  const caller = await sessions.authenticate(cookie).catch((err: unknown) => {
    request.log.warn({ err }, 'the session was not read: the page comes without its questions');
  });
  return caller !== undefined;
}
