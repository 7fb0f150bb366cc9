import { createClient } from '#client/client';
import { isUserMe, type Me } from '#contracts/http/access/session';
import { apiUrl } from '#core/settings/setting-kinds';
import { loginPath, readLogins, writeLogins } from '../../access/login-file.ts';
import { readHiddenLine } from '../../access/hidden-line.ts';
import { apiUrlOf, clientFrom, withApi, withoutSlash } from '../../api-client.ts';
import { usageOf } from '../../cli-error-of.ts';
import type { CommandContext } from '../../context.ts';
import { CliError, EXIT } from '../../exit-code.ts';
import { isGiven } from '../../settings.ts';
import { optionOf } from '../../typed.ts';
import { rightsOf } from './token.ts';

/** Asks for a token, tries it, and keeps it for further commands. */
export async function login(url: string | undefined, context: CommandContext): Promise<void> {
  const baseUrl = urlOf(url, context);
  const token = await readHiddenLine(`token for ${baseUrl}: `, context);
  if (!/^[\x21-\x7e]+$/.test(token))
    throw new CliError(
      EXIT.usage,
      'no token was given: type it, or send it to standard input; one line, without spaces',
    );
  const me = await withApi(() => createClient({ baseUrl, token }).getMe());
  const { tokens } = readLogins(context.env);
  writeLogins(context.env, { current: baseUrl, tokens: { ...tokens, [baseUrl]: token } });
  context.stdout.write(`${baseUrl}: ${sentenceOf(me)}\n`);
  if (isGiven(context.env, 'HAULIER_TOKEN')) context.stderr.write('HAULIER_TOKEN is set and goes before this login\n');
}

/** Forgets the token of an API; the API is not told. */
export function logout(url: string | undefined, context: CommandContext): void {
  const baseUrl = urlOf(url, context);
  const { current, tokens } = readLogins(context.env);
  if (!Object.hasOwn(tokens, baseUrl))
    throw new CliError(EXIT.nothingToDo, `there is no login at ${baseUrl} in ${loginPath(context.env)}`);
  const left = Object.fromEntries(Object.entries(tokens).filter(([other]) => other !== baseUrl));
  writeLogins(context.env, { current: current === baseUrl ? undefined : current, tokens: left });
  context.stdout.write(`${baseUrl}: logged out; the token itself stays valid until it is revoked\n`);
}

/** Shows which API and token commands use. */
export async function whoami(options: { readonly json?: boolean }, context: CommandContext): Promise<void> {
  const me = await withApi(() => clientFrom(context.env).getMe());
  const url = apiUrlOf(context.env);
  context.stdout.write(options.json ? `${JSON.stringify({ url, ...me })}\n` : `${url}: ${sentenceOf(me)}\n`);
}

const urlOf = (given: string | undefined, { env }: CommandContext): string =>
  given === undefined ? apiUrlOf(env) : withoutSlash(usageOf(() => optionOf('the URL', apiUrl, given)));

const sentenceOf = (me: Me): string =>
  isUserMe(me)
    ? `user "${me.name}", ${me.role}, until ${me.expiresAt}`
    : `token "${me.name}" (…${me.last4}), may ${rightsOf(me)}${me.expiresAt === null ? '' : `, until ${me.expiresAt}`}`;
