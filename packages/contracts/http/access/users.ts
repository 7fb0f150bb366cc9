import { z } from 'zod';
import { Moment } from '../parameters.ts';
import { ROLES } from '#core/scopes';

const USER_NAME_RULE =
  'a user name is 1 to 64 letters, digits and . _ @ -, and begins with a letter or a digit; case does not count';

/** Compared and kept in lower case. */
export const UserName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$/, USER_NAME_RULE)
  .toLowerCase();

/** Long passwords are good ones; the upper bound keeps the work of a hash small. */
export const Password = z
  .string()
  .min(10, 'a password has at least 10 characters')
  .max(200, 'a password has at most 200 characters');

export const UserRole = z.enum(ROLES).describe('`viewer` reads, `operator` also acts, `admin` also gives access');

export const User = z
  .strictObject({
    id: z.uuid(),
    name: z.string(),
    role: UserRole,
    state: z.enum(['active', 'disabled']),
    hasPassword: z.boolean().describe('false: signed in once by the link of the first start, and has none yet'),
    createdAt: Moment,
    createdBy: z.string().nullable(),
    lastSignInAt: Moment.nullable(),
    passwordChangedAt: Moment.nullable(),
  })
  .meta({ id: 'User' });

export type User = z.infer<typeof User>;

export const UserList = z.strictObject({ users: z.array(User) }).meta({ id: 'UserList' });

export type UserList = z.infer<typeof UserList>;

/** `name` of a path such as `/api/users/alice`. */
export const UserParams = z.strictObject({ name: UserName });

export const CreateUserBody = z
  .strictObject({ name: UserName, role: UserRole, password: Password })
  .meta({ examples: [{ name: 'alice', role: 'operator', password: 'correct horse battery' }] });

export type CreateUserBody = z.infer<typeof CreateUserBody>;

export const PatchUserBody = z
  .strictObject({
    role: UserRole.optional(),
    password: Password.optional().describe('a new one; it ends every session of the user'),
    disabled: z.boolean().optional().describe('true ends every session, and refuses to sign in'),
  })
  .refine((body) => Object.values(body).some((value) => value !== undefined), {
    error: 'give at least one of role, password and disabled',
  });

export type PatchUserBody = z.infer<typeof PatchUserBody>;
