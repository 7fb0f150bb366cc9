import { execFile } from 'node:child_process';
import { join } from 'node:path';
import type { CreateTokenInput, Token } from '#contracts/http/access/tokens';
import { messageOf } from '#core/error-facts';
import { servingPostgres } from '#embedded/postgres-cluster';
import { clientFrom, withApi } from '../../api-client.ts';
import type { CommandContext } from '../../context.ts';
import { CliError, EXIT } from '../../exit-code.ts';
import { settingsFrom } from '../../settings.ts';
import { haulierHome } from '../../stack/stack-config.ts';
import { formatTable } from '../../terminal/table.ts';

export interface TokenCreateOptions {
  readonly scope?: readonly string[];
  readonly admin?: boolean;
  readonly kind: 'pat' | 'ci';
  readonly expires?: string;
  readonly model?: readonly string[];
  readonly hosts?: string;
  readonly database?: boolean;
  readonly json?: boolean;
}

/** Makes a token; it is the one line of stdout. */
export async function tokenCreate(name: string, options: TokenCreateOptions, context: CommandContext): Promise<void> {
  if (options.database) return createInDatabase(name, options, context);
  const made = await withApi(() => clientFrom(context.env).createToken(bodyOf(name, options)));
  if (options.json) {
    context.stdout.write(`${JSON.stringify(made)}\n`);
    return;
  }
  context.stdout.write(`${made.token}\n`);
  const until = made.expiresAt === null ? 'until it is revoked' : `until ${made.expiresAt}`;
  context.stderr.write(
    `token "${made.name}" (${made.id}): ${rightsOf(made)}, ${until}; it is shown this once, only its hash is stored\n`,
  );
}

function bodyOf(name: string, { scope, admin, kind, expires, model, hosts }: TokenCreateOptions): CreateTokenInput {
  const scopes = admin ? ['admin', ...(scope ?? [])] : scope;
  if (scopes === undefined)
    throw new CliError(
      EXIT.usage,
      'say what the token may do: --scope read, --scope write, --scope rollouts:write … or --admin',
    );
  return {
    ...{ name, kind, scopes: [...scopes] },
    ...(expires === undefined ? {} : { expiresIn: expires }),
    ...(model === undefined ? {} : { models: [...model] }),
    ...(hosts === undefined ? {} : { selector: hosts }),
  };
}

/**
 * For the operator who lost the last admin token: the program of the API writes a new one into its database, which
 * DATABASE_URL names, or which `haulier up` runs in HAULIER_HOME.
 */
async function createInDatabase(name: string, options: TokenCreateOptions, context: CommandContext): Promise<void> {
  const { scope, model, hosts, expires } = options;
  if (!options.admin || (scope ?? model ?? hosts ?? expires) !== undefined)
    throw new CliError(
      EXIT.usage,
      '--database makes an admin token that does not expire: give --admin and no other right; make further tokens with it',
    );
  const script = join(context.distDir, 'apps/api/main.js');
  const env = { ...context.env, DATABASE_URL: await databaseUrlOf(context), DATABASE_URL_FILE: undefined };
  const token = await new Promise<string>((resolve, reject) => {
    execFile(process.execPath, [script, '--create-admin-token', name], { env }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout.trim());
      else
        reject(
          new CliError(EXIT.failed, `the API made no token: ${stderr.trim() || messageOf(error)}`, { cause: error }),
        );
    });
  });
  context.stdout.write(options.json ? `${JSON.stringify({ name, scopes: ['admin'], token })}\n` : `${token}\n`);
  if (!options.json) context.stderr.write(`admin token "${name}"; it is shown this once, only its hash is stored\n`);
}

async function databaseUrlOf({ env }: CommandContext): Promise<string> {
  const { DATABASE_URL } = settingsFrom(env, 'DATABASE_URL');
  if (DATABASE_URL !== undefined) return DATABASE_URL;
  const home = haulierHome(env);
  const serving = await servingPostgres(join(home, 'postgres')).catch((cause: unknown) => {
    throw new CliError(EXIT.notAllowed, `the PostgreSQL of ${home} cannot be used: ${messageOf(cause)}`, { cause });
  });
  if (serving !== undefined) return serving.url;
  throw new CliError(
    EXIT.usage,
    `no PostgreSQL runs in ${home}: set DATABASE_URL as for the API, or start the stack first (haulier up)`,
  );
}

/** Lists tokens; those that can be used, or all. */
export async function tokenList(
  options: { readonly all?: boolean; readonly json?: boolean },
  context: CommandContext,
): Promise<void> {
  const tokens = await withApi(() => clientFrom(context.env).listTokens(options.all ? 'all' : 'active'));
  if (options.json) {
    context.stdout.write(`${JSON.stringify({ tokens })}\n`);
    return;
  }
  const rows = tokens.map((token) => [
    token.id,
    token.name,
    `${token.kind} …${token.last4}`,
    rightsOf(token),
    token.state === 'active' ? (token.expiresAt ?? 'never') : token.state,
    token.lastUsedAt ?? 'never',
  ]);
  const head = ['id', 'name', 'token', 'may', 'expires', 'last used'];
  context.stdout.write(`${formatTable(head, rows, [], context.stdout.columns, [0])}\n`);
}

export async function tokenRevoke(
  ids: readonly string[],
  options: { readonly json?: boolean },
  context: CommandContext,
): Promise<void> {
  const client = clientFrom(context.env);
  const revoked: Token[] = [];
  for (const id of ids) {
    const token = await withApi(() => client.revokeToken(id));
    revoked.push(token);
    if (!options.json) context.stdout.write(`${id}  ${token.name}  revoked ${token.revokedAt}\n`);
  }
  if (options.json) context.stdout.write(`${JSON.stringify({ tokens: revoked })}\n`);
}

/** What a token may do, and where. */
export const rightsOf = ({ scopes, models, selector }: Pick<Token, 'scopes' | 'models' | 'selector'>): string =>
  [
    scopes.join(' '),
    ...(models.length === 0 ? [] : [`only ${models.join(' ')}`]),
    ...(selector === null ? [] : [`to ${selector}`]),
  ].join(', ');
