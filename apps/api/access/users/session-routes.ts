import type { FastifyReply, FastifyRequest } from 'fastify';
import { SessionState, SetupBody, SignInBody, SignInWithCodeBody, SignedIn } from '#contracts/http/access/session';
import { endSession } from '#database/access/session-queries';
import { hasAdmin, type UserRow } from '#database/access/user-queries';
import { dropSetupCodes } from '#database/access/sign-in-queries';
import type { Dependencies } from '../../dependencies.ts';
import type { App } from '../../server/app-type.ts';
import { problems } from '../../server/describe.ts';
import { checkRequests } from '../../server/errors/error-handler.ts';
import { RequestError } from '../../server/errors/request-error.ts';
import { momentOf } from '../../server/requests/moment.ts';
import { recordSession } from '../audit/audit-writes.ts';
import type { RequestLimits } from '../request-limits.ts';
import { refuseOtherSites } from './origin.ts';
import type { Passwords } from './passwords.ts';
import { dropSessionCookie, readSessionCookie, refuseWithoutTls, setSessionCookie } from './session-cookie.ts';
import type { Sessions } from './sessions.ts';
import { firstAdmin, setUpAdmin, takeSetupCode } from './setup-code.ts';
import { attempt, signIn } from './sign-in.ts';

interface SessionRouteOptions {
  readonly deps: Dependencies;
  readonly sessions: Sessions;
  readonly passwords: Passwords;
  readonly limits: RequestLimits;
}

/** No token and no session is needed to begin one, to end one, and to ask whether there is one. */
const documented = { tags: ['access'], security: [] };

/** Signing in and out; the plugin has no guard, so each route says itself what it asks for. */
export function registerSessionRoutes(app: App, options: SessionRouteOptions): void {
  const { sessions, limits } = options;
  checkRequests(app, async (request, reply) => {
    await limits.ofStranger(request, reply);
    refuseOtherSites(request);
    if (request.method === 'POST') refuseWithoutTls(request, sessions.limits.withoutTls);
  });
  registerState(app, options);
  registerSignIn(app, options);
  registerSignInWithCode(app, options);
  registerSetup(app, options);
  registerSignOut(app, options);
}

function registerState(app: App, { deps, sessions }: SessionRouteOptions): void {
  app.get(
    '/api/session/state',
    {
      schema: {
        ...documented,
        operationId: 'getSessionState',
        summary: 'Whether the request has a session, and whether an admin has to be made first',
        response: { 200: SessionState, ...problems() },
      },
    },
    async (request) => ({
      signedIn: (await sessionOf(request, sessions)) !== undefined,
      needsSetup: !(await hasAdmin(deps.database)),
    }),
  );
}

function registerSignIn(app: App, options: SessionRouteOptions): void {
  app.post(
    '/api/session',
    {
      schema: {
        ...documented,
        operationId: 'signIn',
        summary: 'Sign in with name and password; the session is in the cookie of the answer',
        description:
          'A wrong name and a wrong password get the same answer. After several failures the account and the address have to wait; ' +
          '`retry-after` says for how long.',
        body: SignInBody,
        response: { 201: SignedIn, ...problems(400, 415) },
      },
    },
    async (request, reply) => {
      const user = await signIn(options.deps, options.passwords, { ...request.body, ip: request.ip });
      return reply.code(201).send(await begin(user, { request, reply, options, action: 'signIn' }));
    },
  );
}

function registerSignInWithCode(app: App, options: SessionRouteOptions): void {
  app.post(
    '/api/session/code',
    {
      schema: {
        ...documented,
        operationId: 'signInWithCode',
        summary: 'Sign in as the first admin, once, with the code of the link that the start of the API printed',
        description: 'The code works until an admin has a password, for a day, and once.',
        body: SignInWithCodeBody,
        response: { 201: SignedIn, ...problems(400, 415) },
      },
    },
    async (request, reply) => {
      const { deps } = options;
      await useCode(deps, request.body.code, request.ip);
      const user = await firstAdmin(deps.database, deps.now());
      return reply.code(201).send(await begin(user, { request, reply, options, action: 'signInWithCode' }));
    },
  );
}

function registerSetup(app: App, options: SessionRouteOptions): void {
  app.post(
    '/api/setup',
    {
      schema: {
        ...documented,
        operationId: 'setUp',
        summary: 'Make the first admin, with the code that the start of the API printed, and sign in',
        body: SetupBody,
        response: { 201: SignedIn, ...problems(400, 409, 415) },
      },
    },
    async (request, reply) => {
      const { database, now } = options.deps;
      const { code, name, password } = request.body;
      await useCode(options.deps, code, request.ip);
      const passwordHash = await options.passwords.hash(password);
      const user = await setUpAdmin(database, { name, passwordHash }, now());
      if (user === undefined)
        throw new RequestError(
          'user-exists',
          `there is a user "${name}": start the API again for another code, and choose another name`,
        );
      return reply.code(201).send(await begin(user, { request, reply, options, action: 'setUp' }));
    },
  );
}

function registerSignOut(app: App, options: SessionRouteOptions): void {
  const { deps, sessions } = options;
  app.delete(
    '/api/session',
    {
      schema: {
        ...documented,
        operationId: 'signOut',
        summary: 'End the session of this request; without one nothing changes',
        response: { 200: SessionState, ...problems() },
      },
    },
    async (request, reply) => {
      await endCurrent(request, sessions, deps);
      dropSessionCookie(request, reply);
      return { signedIn: false, needsSetup: !(await hasAdmin(deps.database)) };
    },
  );
}

async function sessionOf(request: FastifyRequest, sessions: Sessions) {
  const token = readSessionCookie(request, sessions.limits.withoutTls);
  return token === undefined ? undefined : sessions.authenticate(token);
}

/** @throws RequestError `wrong-code` */
async function useCode(deps: Dependencies, code: string, ip: string): Promise<void> {
  const taken = await attempt(deps, { ip }, async () =>
    (await takeSetupCode(deps.database, code, deps.now())) ? true : undefined,
  );
  if (taken === undefined)
    throw new RequestError(
      'wrong-code',
      'the code is wrong, used or expired: each start of the API prints one while no admin has a password',
    );
}

interface Beginning {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly options: SessionRouteOptions;
  /** operationId of the request. */
  readonly action: string;
}

/** A session that the browser had before ends, so that none is left behind. */
async function begin(user: UserRow, { request, reply, options, action }: Beginning): Promise<SignedIn> {
  const { deps, sessions } = options;
  await endCurrent(request, sessions, deps);
  const userAgent = request.headers['user-agent'] ?? null;
  const begun = await sessions.begin(user, { ip: request.ip, userAgent });
  await recordSession(deps, request, { user, action });
  setSessionCookie(request, reply, begun, sessions.limits.withoutTls);
  if (user.passwordHash !== null && user.role === 'admin') await dropSetupCodes(deps.database);
  const { name, role, passwordHash } = user;
  return { name, role, hasPassword: passwordHash !== null, expiresAt: momentOf(begun.expiresAt) };
}

async function endCurrent(request: FastifyRequest, sessions: Sessions, deps: Dependencies): Promise<void> {
  const caller = await sessionOf(request, sessions);
  if (caller === undefined) return;
  await endSession(deps.database, caller.userId, caller.session.id);
  sessions.forget(caller.userId);
  await recordSession(deps, request, { user: { id: caller.userId, name: caller.name }, action: 'signOut' });
}
