import type pg from 'pg';
import type { Role } from '#core/scopes';
import type { Database } from '../sql/connect.ts';
import { inTransaction } from '../sql/transaction.ts';
import type { User } from '../generated/client.ts';

export interface UserRow extends Omit<User, 'role'> {
  readonly role: Role;
}

interface UserDraft {
  /** In lower case. */
  readonly name: string;
  readonly role: Role;
  /** Null: the user cannot sign in with a password yet. */
  readonly passwordHash: string | null;
  readonly createdBy: string;
}

interface UserChange {
  readonly role?: Role | undefined;
  readonly passwordHash?: string | undefined;
  readonly disabled?: boolean | undefined;
}

/** What the change of a user came to; `last` keeps the only admin who can sign in. */
type UserChanged = { readonly done: 'changed'; readonly user: UserRow } | { readonly done: 'missing' | 'last' };

/** @returns undefined when the name is taken */
export async function createUser(database: Database, draft: UserDraft, now: Date): Promise<UserRow | undefined> {
  const { name, role, passwordHash, createdBy } = draft;
  const passwordChangedAt = passwordHash === null ? null : now;
  const data = { name, role, passwordHash, createdBy, createdAt: now, passwordChangedAt };
  const [made] = await database.prisma.user.createManyAndReturn({ data: [data], skipDuplicates: true });
  return made as UserRow | undefined;
}

/** @param name in lower case */
export async function userByName({ prisma }: Database, name: string): Promise<UserRow | undefined> {
  return ((await prisma.user.findUnique({ where: { name } })) as UserRow | null) ?? undefined;
}

export async function userById({ prisma }: Database, id: string): Promise<UserRow | undefined> {
  return ((await prisma.user.findUnique({ where: { id } })) as UserRow | null) ?? undefined;
}

/** By name. */
export async function listUsers({ prisma }: Database): Promise<UserRow[]> {
  return (await prisma.user.findMany({ orderBy: { name: 'asc' } })) as UserRow[];
}

/** Whether an admin exists who can sign in with a password. */
export async function hasAdmin({ prisma }: Database): Promise<boolean> {
  const where = { role: 'admin', disabledAt: null, passwordHash: { not: null } };
  return (await prisma.user.findFirst({ where, select: { id: true } })) !== null;
}

/** @returns an admin without a password, who signed in by a setup code before */
export async function adminWithoutPassword({ prisma }: Database): Promise<UserRow | undefined> {
  const where = { role: 'admin', disabledAt: null, passwordHash: null };
  return ((await prisma.user.findFirst({ where, orderBy: { createdAt: 'asc' } })) as UserRow | null) ?? undefined;
}

/** Changes a user; a new password, a new role and `disabled` end sessions, except the one that is kept. */
export async function changeUser(
  database: Database,
  name: string,
  change: UserChange,
  { now, keepSession }: { readonly now: Date; readonly keepSession?: string | undefined },
): Promise<UserChanged> {
  return inTransaction(database, async (client) => {
    const held = await holdAdminsAnd(client, name);
    const own = held.find((user) => user.name === name);
    if (own === undefined) return { done: 'missing' };
    const after = { role: change.role ?? own.role, isDisabled: change.disabled ?? own.isDisabled };
    if (after.role !== 'admin' || after.isDisabled) if (isLastAdmin(own, held)) return { done: 'last' };
    const sql = `UPDATE users SET role = $2, password_hash = coalesce($3, password_hash),
        password_changed_at = CASE WHEN $3::text IS NULL THEN password_changed_at ELSE $4::timestamptz END,
        disabled_at = CASE WHEN $5 THEN coalesce(disabled_at, $4::timestamptz) END
      WHERE id = $1 RETURNING ${USER_COLUMNS}`;
    const parameters = [own.id, after.role, change.passwordHash ?? null, now, after.isDisabled];
    const user = (await client.query<UserRow>(sql, parameters)).rows[0]!;
    const endsSessions = change.passwordHash !== undefined || after.isDisabled || after.role !== own.role;
    if (endsSessions)
      await client.query('DELETE FROM sessions WHERE user_id = $1 AND ($2::uuid IS NULL OR id <> $2)', [
        own.id,
        keepSession ?? null,
      ]);
    return { done: 'changed', user };
  });
}

/** Deletes a user with all sessions; the audit keeps the name. */
export async function deleteUser(database: Database, name: string): Promise<UserChanged> {
  return inTransaction(database, async (client) => {
    const held = await holdAdminsAnd(client, name);
    const own = held.find((user) => user.name === name);
    if (own === undefined) return { done: 'missing' };
    if (isLastAdmin(own, held)) return { done: 'last' };
    const sql = `DELETE FROM users WHERE id = $1 RETURNING ${USER_COLUMNS}`;
    return { done: 'changed', user: (await client.query<UserRow>(sql, [own.id])).rows[0]! };
  });
}

const USER_COLUMNS = `id, name, role, password_hash AS "passwordHash", created_at AS "createdAt", created_by AS "createdBy",
  disabled_at AS "disabledAt", last_sign_in_at AS "lastSignInAt", password_changed_at AS "passwordChangedAt"`;

interface HeldUser {
  readonly id: string;
  readonly name: string;
  readonly role: Role;
  readonly isDisabled: boolean;
  readonly hasPassword: boolean;
}

/** Two changes at once do not take each other's place: both hold the rows of all admins. */
async function holdAdminsAnd(client: pg.ClientBase, name: string): Promise<HeldUser[]> {
  const sql = `SELECT id, name, role, disabled_at IS NOT NULL AS "isDisabled", password_hash IS NOT NULL AS "hasPassword"
    FROM users WHERE name = $1 OR role = 'admin' ORDER BY id FOR UPDATE`;
  return (await client.query<HeldUser>(sql, [name])).rows;
}

const canAdminister = (user: HeldUser): boolean => user.role === 'admin' && !user.isDisabled && user.hasPassword;

const isLastAdmin = (own: HeldUser, held: readonly HeldUser[]): boolean =>
  canAdminister(own) && !held.some((user) => user.id !== own.id && canAdminister(user));
