import { z } from 'zod';
import { Liveness, Readiness, SystemStatus } from '#contracts/http/status';
import { PROBLEMS } from '#contracts/http/problem';
import { DOWNLOAD_STATUSES } from '#core/download-status';
import { countDownloads } from '#database/downloads/status-counts';
import { listNotices, storeWarnings } from '#database/hosts/host-queries';
import { outdatedModels } from '#database/models/version-queries';
import type { Dependencies } from '../dependencies.ts';
import type { Health } from './health.ts';
import type { RecorderCounts } from '../background/recorder.ts';
import { RequestError } from '../server/errors/request-error.ts';
import { TOKEN_REQUIRED, guardedBy, problems } from '../server/describe.ts';
import type { App } from '../server/app-type.ts';
import { momentOf } from '../server/requests/moment.ts';

export interface SystemFacts {
  readonly version: string;
  readonly health: Health;
  readonly recorderCounts: () => RecorderCounts;
}

const RECENT_NOTICES = 20;
const MAX_WARNINGS = 1000;

/** Reachable without a token: for load balancers and orchestrators. */
export function registerHealthRoutes(app: App, { health }: Pick<SystemFacts, 'health'>): void {
  app.get(
    '/livez',
    {
      schema: {
        operationId: 'getLiveness',
        summary: 'Whether the process runs',
        tags: ['system'],
        response: { 200: Liveness },
      },
    },
    async () => ({ status: 'alive' as const }),
  );
  app.get(
    '/readyz',
    {
      schema: {
        operationId: 'getReadiness',
        summary: 'Whether the API has all it needs, and what is missing',
        tags: ['system'],
        response: { 200: Readiness, 503: Readiness },
      },
    },
    async (_request, reply) => {
      const readiness = await health.readiness();
      return reply.code(readiness.status === 'ready' ? 200 : 503).send(readiness);
    },
  );
}

/** What `type` of a problem document leads to. */
export function registerProblemRoutes(app: App): void {
  app.get(
    '/problems/:code',
    { schema: { hide: true, params: z.object({ code: z.string().max(60) }) } },
    async (request) => {
      const { code } = request.params;
      const problem = Object.hasOwn(PROBLEMS, code) ? PROBLEMS[code as keyof typeof PROBLEMS] : undefined;
      if (problem === undefined) throw new RequestError('not-found', `there is no problem named "${code}"`);
      return { code, ...problem };
    },
  );
}

export function registerSystemRoutes(app: App, deps: Dependencies, facts: SystemFacts): void {
  app.get(
    '/api/status',
    {
      ...guardedBy('read'),
      schema: {
        operationId: 'getStatus',
        summary: 'Health, counts, newer versions, store warnings, recent notices',
        tags: ['system'],
        security: TOKEN_REQUIRED,
        response: { 200: SystemStatus, ...problems() },
      },
    },
    async () => statusView(deps, facts),
  );
}

async function statusView({ database }: Dependencies, facts: SystemFacts): Promise<SystemStatus> {
  const [readiness, counts, newerVersions, warnings, recent] = await Promise.all([
    facts.health.readiness(),
    countDownloads(database),
    outdatedModels(database),
    storeWarnings(database, MAX_WARNINGS),
    listNotices(database, { limit: RECENT_NOTICES }),
  ]);
  return {
    version: facts.version,
    status: readiness.status,
    components: readiness.components,
    downloads: Object.fromEntries(
      DOWNLOAD_STATUSES.map((status) => [status, counts[status] ?? 0]),
    ) as SystemStatus['downloads'],
    newerVersions,
    storeWarnings: warnings.map(({ host, at, message }) => ({ host, at: momentOf(at), message })),
    notices: recent.map(({ shownHost, at, notice, model, path, message }) => ({
      at: momentOf(at),
      host: shownHost,
      notice,
      model,
      path,
      message,
    })),
    events: facts.recorderCounts(),
  };
}
