import type {
  ChangePasswordBody,
  Session,
  SessionList,
  SessionState,
  SetupBody,
  SignInBody,
  SignInWithCodeBody,
  SignedIn,
  UserMe,
} from '#contracts/http/access/session';
import type { CreateUserBody, PatchUserBody, User, UserList } from '#contracts/http/access/users';
import { send, type ClientOptions } from './send.ts';

/** Users and their sessions. In a browser the session is in a cookie, which `fetch` sends by itself. Each method throws ApiError or UnreachableError. */
export interface UserClient {
  /** Whether there is a session, and whether the first admin has to be made; needs neither token nor session. */
  getSessionState(): Promise<SessionState>;
  signIn(body: SignInBody): Promise<SignedIn>;
  /** With the code of the link `/login#code=…`. */
  signInWithCode(body: SignInWithCodeBody): Promise<SignedIn>;
  /** Makes the first admin and signs in. */
  setUp(body: SetupBody): Promise<SignedIn>;
  signOut(): Promise<SessionState>;
  changePassword(body: ChangePasswordBody): Promise<UserMe>;
  listOwnSessions(): Promise<Session[]>;
  endOwnSession(id: string): Promise<Session>;
  /** By name. */
  listUsers(): Promise<User[]>;
  createUser(body: CreateUserBody): Promise<User>;
  changeUser(name: string, body: PatchUserBody): Promise<User>;
  deleteUser(name: string): Promise<User>;
  listSessions(name: string): Promise<Session[]>;
  /** One session of a user, or all. @returns those that are left */
  endSessions(name: string, id?: string): Promise<Session[]>;
}

const part = encodeURIComponent;

export const userMethods = (options: ClientOptions): UserClient => ({
  getSessionState: () => send(options, { method: 'GET', path: '/api/session/state' }),
  signIn: (body) => send(options, { method: 'POST', path: '/api/session', body }),
  signInWithCode: (body) => send(options, { method: 'POST', path: '/api/session/code', body }),
  setUp: (body) => send(options, { method: 'POST', path: '/api/setup', body }),
  signOut: () => send(options, { method: 'DELETE', path: '/api/session' }),
  changePassword: (body) => send(options, { method: 'POST', path: '/api/me/password', body }),
  listOwnSessions: async () => (await send<SessionList>(options, { method: 'GET', path: '/api/me/sessions' })).sessions,
  endOwnSession: (id) => send(options, { method: 'DELETE', path: `/api/me/sessions/${part(id)}` }),
  listUsers: async () => (await send<UserList>(options, { method: 'GET', path: '/api/users' })).users,
  createUser: (body) => send(options, { method: 'POST', path: '/api/users', body }),
  changeUser: (name, body) => send(options, { method: 'PATCH', path: `/api/users/${part(name)}`, body }),
  deleteUser: (name) => send(options, { method: 'DELETE', path: `/api/users/${part(name)}` }),
  listSessions: async (name) =>
    (await send<SessionList>(options, { method: 'GET', path: `/api/users/${part(name)}/sessions` })).sessions,
  endSessions: async (name, id) => {
    const path = `/api/users/${part(name)}/sessions${id === undefined ? '' : `/${part(id)}`}`;
    return (await send<SessionList>(options, { method: 'DELETE', path })).sessions;
  },
});
