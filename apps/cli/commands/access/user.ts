import { ROLES, type Role } from '#core/scopes';
import type { User } from '#contracts/http/access/users';
import { readHiddenLine } from '../../access/hidden-line.ts';
import { clientFrom, withApi } from '../../api-client.ts';
import type { CommandContext } from '../../context.ts';
import { CliError, EXIT } from '../../exit-code.ts';
import { formatTable } from '../../terminal/table.ts';

interface JsonOption {
  readonly json?: boolean;
}

/** Makes a user; the password is read from the terminal or from stdin. */
export async function userCreate(
  name: string,
  options: JsonOption & { readonly role: string },
  context: CommandContext,
): Promise<void> {
  const role = roleOf(options.role);
  const password = await newPassword(name, context);
  const made = await withApi(() => clientFrom(context.env).createUser({ name, role, password }));
  tell(made, options, context, `${made.name} may sign in as ${made.role}`);
}

export async function userList(options: JsonOption, context: CommandContext): Promise<void> {
  const users = await withApi(() => clientFrom(context.env).listUsers());
  if (options.json) {
    context.stdout.write(`${JSON.stringify({ users })}\n`);
    return;
  }
  const rows = users.map((user) => [
    user.name,
    user.role,
    user.state === 'disabled' ? 'disabled' : user.hasPassword ? 'active' : 'no password yet',
    user.lastSignInAt ?? 'never',
    user.createdBy ?? '',
  ]);
  const head = ['name', 'role', 'state', 'last sign-in', 'created by'];
  context.stdout.write(`${formatTable(head, rows, [], context.stdout.columns)}\n`);
}

export async function userRole(
  name: string,
  role: string,
  options: JsonOption,
  context: CommandContext,
): Promise<void> {
  const changed = await withApi(() => clientFrom(context.env).changeUser(name, { role: roleOf(role) }));
  tell(changed, options, context, `${changed.name} is ${changed.role} from the next sign-in on; all sessions ended`);
}

/** Sets another password, read from the terminal or from stdin. */
export async function userPassword(name: string, options: JsonOption, context: CommandContext): Promise<void> {
  const password = await newPassword(name, context);
  const changed = await withApi(() => clientFrom(context.env).changeUser(name, { password }));
  tell(changed, options, context, `${changed.name} has a new password; all sessions ended`);
}

export async function userDisable(
  name: string,
  disabled: boolean,
  options: JsonOption,
  context: CommandContext,
): Promise<void> {
  const changed = await withApi(() => clientFrom(context.env).changeUser(name, { disabled }));
  tell(
    changed,
    options,
    context,
    disabled ? `${name} cannot sign in; all sessions ended` : `${name} may sign in again`,
  );
}

export async function userDelete(name: string, options: JsonOption, context: CommandContext): Promise<void> {
  const deleted = await withApi(() => clientFrom(context.env).deleteUser(name));
  tell(deleted, options, context, `${deleted.name} is deleted; the audit keeps the name`);
}

function tell(user: User, { json }: JsonOption, { stdout }: CommandContext, sentence: string): void {
  stdout.write(json ? `${JSON.stringify(user)}\n` : `${sentence}\n`);
}

function roleOf(text: string): Role {
  const role = ROLES.find((one) => one === text);
  if (role !== undefined) return role;
  throw new CliError(EXIT.usage, `a role is one of ${ROLES.join(', ')} (got "${text}")`);
}

/** A typing mistake on a terminal shows when it is typed twice. */
async function newPassword(name: string, context: CommandContext): Promise<string> {
  const password = await readHiddenLine(`new password of ${name}: `, context);
  if (password === '')
    throw new CliError(EXIT.usage, 'no password was given: type it, or send it to standard input as one line');
  if (context.stdin.isTTY === true && (await readHiddenLine('once more: ', context)) !== password)
    throw new CliError(EXIT.usage, 'the two passwords differ: nothing was changed');
  return password;
}
