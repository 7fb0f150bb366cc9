import cookie from '@fastify/cookie';
import Fastify, { LogController } from 'fastify';
import type { FastifyBaseLogger } from 'fastify';
import { serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { randomUUID } from 'node:crypto';
import { MINUTE_MS, SECOND_MS } from '#core/units';
import type { Dependencies } from './dependencies.ts';
import { QUEUE_BOARD_PATH } from './system/queue-board-type.ts';
import type { QueueBoard } from './system/queue-board-type.ts';
import { registerBulkRoutes } from './bulk/routes.ts';
import { registerCidRoutes } from './models/cid-routes.ts';
import { registerDownloadRoutes } from './downloads/routes.ts';
import { registerEnrolRoutes } from './enrolment/enrol-routes.ts';
import { registerEnrolmentTokens } from './enrolment/token-routes.ts';
import { registerHostRoutes } from './hosts/routes.ts';
import { registerEventRoutes } from './live/event-routes.ts';
import { registerMetricsRoutes } from './metrics/routes.ts';
import { registerSourceRoutes } from './sources/routes.ts';
import { registerRolloutRoutes } from './rollouts/routes.ts';
import { registerModelRoutes } from './models/routes.ts';
import { registerOneDownloadRoutes } from './downloads/one-download-routes.ts';
import { registerHealthRoutes, registerProblemRoutes, registerSystemRoutes } from './system/routes.ts';
import type { SystemFacts } from './system/routes.ts';
import { registerPrometheusRoutes } from './metrics/prometheus-routes.ts';
import { registerWebhookRoutes } from './webhooks/routes.ts';
import { registerSiteRoutes } from './sites/routes.ts';
import { registerSwarmRoutes } from './swarm/routes.ts';
import { ANNOUNCE_PATH, registerTrackerRoutes } from './swarm/tracker-routes.ts';
import { registerVersionRoutes } from './models/version-routes.ts';
import type { App } from './server/app-type.ts';
import { answerClientError } from './server/errors/client-errors.ts';
import { answerError, registerErrorHandler } from './server/errors/error-handler.ts';
import { acceptOnlyJson } from './server/requests/json-only.ts';
import { registerOpenApi, registerOpenApiDocument } from './server/openapi.ts';
import { refuseOddValues } from './server/requests/refuse-odd-values.ts';
import { registerSecurityHeaders } from './server/security-headers.ts';
import { traceRequests } from './server/trace-requests.ts';
import { endUnusedConnections } from './server/unused-connections.ts';
import { auditWrites } from './access/audit/audit-writes.ts';
import { registerAuditRoutes } from './access/audit/routes.ts';
import { guard } from './access/guard.ts';
import { createRequestLimits, type RequestLimits } from './access/request-limits.ts';
import { registerTokenRoutes } from './access/token-routes.ts';
import type { Authenticator } from './access/authenticate.ts';
import { sendPagesToSignIn } from './access/users/sign-in-page.ts';
import { registerMeRoutes } from './access/users/me-routes.ts';
import { createPasswords, type Passwords } from './access/users/passwords.ts';
import { registerSessionRoutes } from './access/users/session-routes.ts';
import { createSessions, type SessionLimits, type Sessions } from './access/users/sessions.ts';
import { registerUserRoutes } from './access/users/user-routes.ts';

export interface AppOptions extends SystemFacts {
  readonly deps: Dependencies;
  readonly authenticator: Authenticator;
  /** Requests of one token or user within a minute. */
  readonly requestsPerMinute: number;
  readonly sessionLimits: SessionLimits;
  readonly logger: FastifyBaseLogger;
  /** Pages of the documentation at `/docs`; `/openapi.json` is always there. */
  readonly docs: boolean;
  /** Folder of the built pages of the dashboard; undefined leaves them out. */
  readonly dashboard: string | undefined;
  /** Undefined leaves the board out. */
  readonly board: QueueBoard | undefined;
}

const BODY_LIMIT_BYTES = 4 * 1024 * 1024;
/** Longer than the idle limit of common proxies, so that the proxy closes the connection first. */
const KEEP_ALIVE_MS = 65 * SECOND_MS;

/** Builds the HTTP side of the API; nothing listens and nothing runs yet. */
export async function createApp(options: AppOptions): Promise<App> {
  const app: App = Fastify({
    loggerInstance: options.logger,
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: () => randomUUID(),
    bodyLimit: BODY_LIMIT_BYTES,
    keepAliveTimeout: KEEP_ALIVE_MS,
    requestTimeout: MINUTE_MS,
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: 200 },
    clientErrorHandler: answerClientError,
    frameworkErrors: (error, request, reply) => void answerError(request, reply, error),
  }).withTypeProvider<ZodTypeProvider>();
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  acceptOnlyJson(app);
  refuseOddValues(app);
  registerErrorHandler(app);
  logRequests(app, options.deps);
  traceRequests(app, options.deps.tracing);
  letGoWhenStopping(app, options.deps);
  endUnusedConnections(app);
  await registerSecurityHeaders(app);
  await registerOpenApi(app, options.version);
  registerHealthRoutes(app, options);
  registerProblemRoutes(app);
  await app.register(cookie);
  const access = await accessOf(app, options);
  registerEnrolRoutes(app, options.deps, access.limits);
  registerTrackerRoutes(app, options.deps, access.limits);
  await registerApi(app, options, access);
  await registerBoard(app, options, access);
  if (options.dashboard !== undefined)
    await (await import('./dashboard/routes.ts')).registerDashboard(app, options.dashboard, access.sessions);
  registerOpenApiDocument(app);
  if (options.docs) await (await import('./system/docs-pages.ts')).registerDocsPages(app);
  return app;
}

/** How callers are known, and how many requests they may send. */
interface Access {
  readonly authenticator: Authenticator;
  readonly sessions: Sessions;
  readonly passwords: Passwords;
  readonly limits: RequestLimits;
}

async function accessOf(app: App, options: AppOptions): Promise<Access> {
  const { deps, authenticator, sessionLimits, requestsPerMinute } = options;
  const sessions = createSessions(deps.database, deps.now, sessionLimits);
  const limits = await createRequestLimits(app, deps, requestsPerMinute);
  return { authenticator, sessions, passwords: createPasswords(), limits };
}

async function registerApi(app: App, options: AppOptions, access: Access): Promise<void> {
  const { sessions, passwords } = access;
  await app.register(async (plugin) => {
    registerSessionRoutes(plugin.withTypeProvider<ZodTypeProvider>(), { ...access, deps: options.deps });
  });
  await app.register(async (plugin) => {
    const guarded = plugin.withTypeProvider<ZodTypeProvider>();
    guard(guarded, { ...access, schemes: ['bearer'] });
    auditWrites(guarded, options.deps);
    registerDownloadRoutes(guarded, options.deps);
    registerOneDownloadRoutes(guarded, options.deps);
    registerBulkRoutes(guarded, options.deps);
    registerModelRoutes(guarded, options.deps);
    registerVersionRoutes(guarded, options.deps);
    registerCidRoutes(guarded, options.deps);
    registerHostRoutes(guarded, options.deps);
    registerEnrolmentTokens(guarded, options.deps);
    registerRolloutRoutes(guarded, options.deps);
    registerTokenRoutes(guarded, options.deps, options.authenticator);
    registerUserRoutes(guarded, options.deps, sessions, passwords);
    registerMeRoutes(guarded, options.deps, sessions, passwords);
    registerAuditRoutes(guarded, options.deps);
    registerSiteRoutes(guarded, options.deps);
    registerSwarmRoutes(guarded, options.deps);
    registerWebhookRoutes(guarded, options.deps);
    registerMetricsRoutes(guarded, options.deps);
    registerSourceRoutes(guarded, options.deps);
    registerSystemRoutes(guarded, options.deps, options);
    registerPrometheusRoutes(guarded, options.deps);
    await registerEventRoutes(guarded, options.deps.live.hub);
  });
}

async function registerBoard(app: App, { board, deps }: AppOptions, access: Access): Promise<void> {
  if (board === undefined) return;
  await app.register(
    async (plugin) => {
      sendPagesToSignIn(plugin, access.sessions);
      guard(plugin, { ...access, schemes: ['basic', 'bearer'] });
      auditWrites(plugin, deps);
      await board.register(plugin);
    },
    { prefix: QUEUE_BOARD_PATH },
  );
}

/** A connection that is kept open after its answer would delay the end of the process. */
function letGoWhenStopping(app: App, { changes }: Dependencies): void {
  app.addHook('onSend', async (_request, reply) => {
    if (changes.stopped()) void reply.header('connection', 'close');
  });
}

/** Asked again and again by programs, without news for people. */
const QUIET_ROUTES: ReadonlySet<string> = new Set(['/livez', '/readyz', ANNOUNCE_PATH]);

/** One line for each request that is answered, without its query and headers. */
function logRequests(app: App, { metrics }: Dependencies): void {
  app.addHook('onRequest', async (request, reply) => {
    void reply.header('x-request-id', request.id);
  });
  app.addHook('onResponse', async (request, reply) => {
    const route = request.routeOptions.url ?? 'unknown';
    metrics.answered({ route, method: request.method, status: reply.statusCode, ms: reply.elapsedTime });
    const fields = { method: request.method, route, status: reply.statusCode, ms: Math.round(reply.elapsedTime) };
    if (QUIET_ROUTES.has(route)) request.log.debug(fields, 'request answered');
    else {
      const { tokenId, userId } = request.caller ?? {};
      request.log.info({ ...fields, ...(userId ? { userId } : { tokenId: tokenId ?? undefined }) }, 'request answered');
    }
  });
}
