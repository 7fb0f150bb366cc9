import { z } from 'zod';
import { Moment } from '../parameters.ts';
import { Token } from './tokens.ts';
import { Password, UserName, UserRole } from './users.ts';

/** Where the page to sign in is. `#code=…` signs in with a code; `?next=/path` is where it goes afterwards. */
export const SIGN_IN_PAGE = '/login';

/** Whether a page has to ask for a password, or for the setup code; needs no session. */
export const SessionState = z
  .strictObject({
    signedIn: z.boolean(),
    needsSetup: z
      .boolean()
      .describe('no admin has a password yet: `POST /api/setup` with the code that the start of the API printed'),
  })
  .meta({ id: 'SessionState' });

export type SessionState = z.infer<typeof SessionState>;

export const SignInBody = z
  .strictObject({
    user: z.string().min(1, 'give the name of the user').max(200, 'the name has at most 200 characters'),
    password: z.string().min(1, 'give the password').max(1000, 'the password has at most 1000 characters'),
  })
  .meta({ examples: [{ user: 'alice', password: 'correct horse battery' }] });

export type SignInBody = z.infer<typeof SignInBody>;

const SetupCode = z.string().min(1, 'give the code').max(200, 'the code has at most 200 characters');

/** The link of the first start: `/login#code=…`. */
export const SignInWithCodeBody = z.strictObject({ code: SetupCode });

export type SignInWithCodeBody = z.infer<typeof SignInWithCodeBody>;

/** Makes the first admin, with a password, and signs in. */
export const SetupBody = z.strictObject({ code: SetupCode, name: UserName, password: Password });

export type SetupBody = z.infer<typeof SetupBody>;

/** The answer to signing in; the session itself is in the cookie. */
export const SignedIn = z
  .strictObject({
    name: z.string(),
    role: UserRole,
    hasPassword: z.boolean().describe('false: set one with `POST /api/me/password`, or this user cannot sign in again'),
    expiresAt: Moment.describe('the session ends then at the latest, and earlier when it is not used'),
  })
  .meta({ id: 'SignedIn' });

export type SignedIn = z.infer<typeof SignedIn>;

export const Session = z
  .strictObject({
    id: z.uuid(),
    isCurrent: z.boolean().describe('the session of this request'),
    createdAt: Moment,
    lastSeenAt: Moment.describe('to the minute'),
    expiresAt: Moment,
    ip: z.string().nullable().describe('of the connection that signed in; behind a proxy that of the proxy'),
    userAgent: z.string().nullable().describe('what the browser says it is'),
  })
  .meta({ id: 'Session' });

export type Session = z.infer<typeof Session>;

export const SessionList = z.strictObject({ sessions: z.array(Session) }).meta({ id: 'SessionList' });

export type SessionList = z.infer<typeof SessionList>;

export const SessionParams = z.strictObject({ id: z.uuid('a session id is a UUID, as GET /api/me/sessions shows it') });

export const UserSessionParams = z.strictObject({ name: UserName, id: z.uuid('a session id is a UUID') });

export const ChangePasswordBody = z.strictObject({
  currentPassword: z
    .string()
    .max(1000, 'the password has at most 1000 characters')
    .optional()
    .describe('the password until now; left out only by a user without one'),
  password: Password,
});

export type ChangePasswordBody = z.infer<typeof ChangePasswordBody>;

/** The user of a session. */
export const UserMe = z
  .strictObject({
    kind: z.literal('user'),
    id: z.uuid(),
    name: z.string(),
    role: UserRole,
    scopes: z.array(z.string()),
    hasPassword: z.boolean(),
    expiresAt: Moment.describe('of the session, at the latest'),
  })
  .meta({ id: 'UserMe' });

export type UserMe = z.infer<typeof UserMe>;

/** Who asks: a user with a session, or a token. */
export const Me = z.union([UserMe, Token]);

export type Me = z.infer<typeof Me>;

/** False for a token. */
export const isUserMe = (me: Me): me is UserMe => me.kind === 'user';
