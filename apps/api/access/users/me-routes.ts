import { ChangePasswordBody, Me, Session, SessionList, SessionParams, UserMe } from '#contracts/http/access/session';
import { endSession, sessionsOf } from '#database/access/session-queries';
import { dropSetupCodes } from '#database/access/sign-in-queries';
import { changeUser, userById } from '#database/access/user-queries';
import { tokenById } from '#database/access/token-queries';
import type { Dependencies } from '../../dependencies.ts';
import type { App } from '../../server/app-type.ts';
import { TOKEN_REQUIRED, problems } from '../../server/describe.ts';
import { RequestError } from '../../server/errors/request-error.ts';
import type { Caller } from '../authenticate.ts';
import { noteForAudit } from '../audit/audit-writes.ts';
import { tokenView } from '../token-view.ts';
import type { Passwords } from './passwords.ts';
import type { Sessions, UserCaller } from './sessions.ts';
import { attempt } from './sign-in.ts';
import { sessionView, userMeView } from './user-view.ts';

const documented = { tags: ['access'], security: TOKEN_REQUIRED };
const ofAny = { config: { scope: 'any' } } as const;

/** What each caller may ask about itself. */
export function registerMeRoutes(app: App, deps: Dependencies, sessions: Sessions, passwords: Passwords): void {
  registerMe(app, deps);
  registerPassword(app, deps, sessions, passwords);
  registerOwnSessions(app, deps, sessions);
}

function registerMe(app: App, { database, now }: Dependencies): void {
  app.get(
    '/api/me',
    {
      ...ofAny,
      schema: {
        ...documented,
        operationId: 'getMe',
        summary: 'Who asks: the user of the session (`kind` is `user`), or the token with its scopes, limits and end',
        response: { 200: Me, ...problems() },
      },
    },
    async ({ caller }) => {
      if (isUser(caller!)) return userMeView((await userById(database, caller.userId))!, caller);
      return tokenView((await tokenById(database, caller!.id))!, now());
    },
  );
}

function registerPassword(app: App, deps: Dependencies, sessions: Sessions, passwords: Passwords): void {
  app.post(
    '/api/me/password',
    {
      config: { scope: 'any', auditsBody: false },
      schema: {
        ...documented,
        operationId: 'changePassword',
        summary: 'Change the own password; every other session of the user ends',
        body: ChangePasswordBody,
        response: { 200: UserMe, ...problems(400, 415) },
      },
    },
    async (request) => {
      const { database, now } = deps;
      const caller = userOf(request.caller!);
      const { currentPassword, password } = request.body;
      const row = (await userById(database, caller.userId))!;
      const isSame = await attempt(deps, { account: row.name, ip: request.ip }, async () =>
        row.passwordHash === null || (await passwords.matches(row.passwordHash, currentPassword ?? ''))
          ? true
          : undefined,
      );
      if (isSame === undefined)
        throw new RequestError('forbidden', '/currentPassword: this is not the password of the user until now');
      const passwordHash = await passwords.hash(password);
      const changed = await changeUser(
        database,
        row.name,
        { passwordHash },
        { now: now(), keepSession: caller.session.id },
      );
      if (changed.done !== 'changed') throw new RequestError('unknown-user', `the user "${row.name}" was deleted`);
      sessions.forget(row.id);
      if (row.role === 'admin') await dropSetupCodes(database);
      noteForAudit(request, { target: `users/${row.name}` });
      return userMeView(changed.user, caller);
    },
  );
}

function registerOwnSessions(app: App, { database, now }: Dependencies, sessions: Sessions): void {
  app.get(
    '/api/me/sessions',
    {
      ...ofAny,
      schema: {
        ...documented,
        operationId: 'listOwnSessions',
        summary: 'Where the user of this session is signed in, newest first',
        response: { 200: SessionList, ...problems() },
      },
    },
    async (request) => {
      const caller = userOf(request.caller!);
      const rows = await sessionsOf(database, caller.userId, { now: now(), idleMs: sessions.limits.idleMs });
      return { sessions: rows.map((row) => sessionView(row, caller.session.id)) };
    },
  );
  app.delete(
    '/api/me/sessions/:id',
    {
      ...ofAny,
      schema: {
        ...documented,
        operationId: 'endOwnSession',
        summary: 'End a session of the own user; here at once, in other API processes within seconds',
        params: SessionParams,
        response: { 200: Session, ...problems(400, 404) },
      },
    },
    async (request) => {
      const caller = userOf(request.caller!);
      const { id } = request.params;
      const rows = await sessionsOf(database, caller.userId, { now: now(), idleMs: sessions.limits.idleMs });
      const row = rows.find((one) => one.id === id);
      if (row === undefined || !(await endSession(database, caller.userId, id)))
        throw new RequestError('unknown-session', `"${caller.name}" has no session ${id}`);
      sessions.forget(caller.userId);
      return sessionView(row, caller.session.id);
    },
  );
}

const isUser = (caller: Caller): caller is UserCaller => caller.userId !== null && caller.session !== undefined;

/** @throws RequestError `forbidden` for a token */
function userOf(caller: Caller): UserCaller {
  if (isUser(caller)) return caller;
  throw new RequestError('forbidden', `"${caller.name}" is a token; this is about the user of a session`);
}
