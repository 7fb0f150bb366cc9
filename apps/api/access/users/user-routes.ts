import { SessionList, UserSessionParams } from '#contracts/http/access/session';
import { CreateUserBody, PatchUserBody, User, UserList, UserParams } from '#contracts/http/access/users';
import { endSession, endSessionsOf, sessionsOf } from '#database/access/session-queries';
import { changeUser, createUser, deleteUser, listUsers, userByName, type UserRow } from '#database/access/user-queries';
import type { Database } from '#database/sql/connect';
import type { Dependencies } from '../../dependencies.ts';
import type { App } from '../../server/app-type.ts';
import { TOKEN_REQUIRED, problems } from '../../server/describe.ts';
import { RequestError } from '../../server/errors/request-error.ts';
import type { Caller } from '../authenticate.ts';
import { noteForAudit } from '../audit/audit-writes.ts';
import type { Passwords } from './passwords.ts';
import type { Sessions } from './sessions.ts';
import { sessionView, userView } from './user-view.ts';

const documented = { tags: ['access'], security: TOKEN_REQUIRED };
/** What is sent may hold a password, also under a wrong name. */
const ofAdmins = { config: { scope: 'admin', auditsBody: false } } as const;

export function registerUserRoutes(app: App, deps: Dependencies, sessions: Sessions, passwords: Passwords): void {
  registerList(app, deps);
  registerCreate(app, deps, passwords);
  registerPatch(app, deps, sessions, passwords);
  registerDelete(app, deps, sessions);
  registerSessions(app, deps, sessions);
  registerOneSession(app, deps, sessions);
}

function registerList(app: App, { database }: Dependencies): void {
  app.get(
    '/api/users',
    {
      ...ofAdmins,
      schema: {
        ...documented,
        operationId: 'listUsers',
        summary: 'Users who may sign in, and their roles, by name',
        response: { 200: UserList, ...problems() },
      },
    },
    async () => ({ users: (await listUsers(database)).map(userView) }),
  );
}

function registerCreate(app: App, { database, now }: Dependencies, passwords: Passwords): void {
  app.post(
    '/api/users',
    {
      ...ofAdmins,
      schema: {
        ...documented,
        operationId: 'createUser',
        summary: 'Make a user with a role and a password',
        body: CreateUserBody,
        response: { 201: User, ...problems(400, 409, 415) },
      },
    },
    async (request, reply) => {
      const { name, role, password } = request.body;
      const draft = { name, role, passwordHash: await passwords.hash(password), createdBy: request.caller!.name };
      const row = await createUser(database, draft, now());
      if (row === undefined) throw new RequestError('user-exists', `there is a user "${name}" already`);
      noteForAudit(request, { target: `users/${name}`, after: factsOf(row) });
      return reply.code(201).send(userView(row));
    },
  );
}

function registerPatch(app: App, { database, now }: Dependencies, sessions: Sessions, passwords: Passwords): void {
  app.patch(
    '/api/users/:name',
    {
      ...ofAdmins,
      schema: {
        ...documented,
        operationId: 'changeUser',
        summary: 'Change the role or the password of a user, disable or enable it',
        description:
          'Each of them ends the sessions of the user, except the one that asks. The last admin with a password stays one.',
        params: UserParams,
        body: PatchUserBody,
        response: { 200: User, ...problems(400, 404, 409, 415) },
      },
    },
    async (request) => {
      const { name } = request.params;
      const { role, password, disabled } = request.body;
      const before = await userByName(database, name);
      const passwordHash = password === undefined ? undefined : await passwords.hash(password);
      const change = { role, disabled, passwordHash };
      const changed = await changeUser(database, name, change, {
        now: now(),
        keepSession: request.caller!.session?.id,
      });
      if (changed.done !== 'changed' || before === undefined) throw refusal(changed.done, name);
      sessions.forget(changed.user.id);
      const newPassword = password === undefined ? {} : { newPassword: true };
      noteForAudit(request, { before: factsOf(before), after: { ...factsOf(changed.user), ...newPassword } });
      return userView(changed.user);
    },
  );
}

function registerDelete(app: App, { database }: Dependencies, sessions: Sessions): void {
  app.delete(
    '/api/users/:name',
    {
      ...ofAdmins,
      schema: {
        ...documented,
        operationId: 'deleteUser',
        summary: 'Delete a user and its sessions; the audit keeps the name',
        params: UserParams,
        response: { 200: User, ...problems(400, 404, 409) },
      },
    },
    async (request) => {
      const { name } = request.params;
      const deleted = await deleteUser(database, name);
      if (deleted.done !== 'changed') throw refusal(deleted.done, name);
      sessions.forget(deleted.user.id);
      noteForAudit(request, { before: factsOf(deleted.user) });
      return userView(deleted.user);
    },
  );
}

const ofSessions = { ...documented, response: { 200: SessionList, ...problems(400, 404) } };

/** @throws RequestError `unknown-user` */
async function userNamed(database: Database, name: string): Promise<UserRow> {
  const row = await userByName(database, name);
  if (row === undefined) throw refusal('missing', name);
  return row;
}

function registerSessions(app: App, deps: Dependencies, sessions: Sessions): void {
  const { database } = deps;
  app.get(
    '/api/users/:name/sessions',
    {
      ...ofAdmins,
      schema: {
        ...ofSessions,
        operationId: 'listSessions',
        summary: 'Where a user is signed in, newest first',
        params: UserParams,
      },
    },
    async ({ params, caller }) => sessionList(deps, sessions, await userNamed(database, params.name), caller),
  );
  app.delete(
    '/api/users/:name/sessions',
    {
      ...ofAdmins,
      schema: {
        ...ofSessions,
        operationId: 'endSessions',
        summary: 'End every session of a user; the answer lists none',
        params: UserParams,
      },
    },
    async ({ params, caller }) => {
      const user = await userNamed(database, params.name);
      await endSessionsOf(database, user.id);
      sessions.forget(user.id);
      return sessionList(deps, sessions, user, caller);
    },
  );
}

function registerOneSession(app: App, deps: Dependencies, sessions: Sessions): void {
  app.delete(
    '/api/users/:name/sessions/:id',
    {
      ...ofAdmins,
      schema: {
        ...ofSessions,
        operationId: 'endSession',
        summary: 'End one session of a user; the answer lists the others',
        params: UserSessionParams,
      },
    },
    async ({ params: { name, id }, caller }) => {
      const user = await userNamed(deps.database, name);
      if (!(await endSession(deps.database, user.id, id)))
        throw new RequestError('unknown-session', `"${user.name}" has no session ${id}`);
      sessions.forget(user.id);
      return sessionList(deps, sessions, user, caller);
    },
  );
}

async function sessionList(
  { database, now }: Dependencies,
  { limits }: Sessions,
  user: UserRow,
  caller: Caller | null,
): Promise<SessionList> {
  const rows = await sessionsOf(database, user.id, { now: now(), idleMs: limits.idleMs });
  return { sessions: rows.map((row) => sessionView(row, caller?.session?.id)) };
}

const factsOf = ({ role, disabledAt }: UserRow) => ({ role, disabled: disabledAt !== null });

function refusal(done: 'changed' | 'missing' | 'last', name: string): RequestError {
  if (done === 'last')
    return new RequestError(
      'illegal-move',
      `"${name}" is the last admin who can sign in: make another one first, such as with POST /api/users`,
    );
  return new RequestError('unknown-user', `there is no user "${name}"; GET /api/users lists them`);
}
