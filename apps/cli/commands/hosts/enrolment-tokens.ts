import type { EnrolmentToken } from '#contracts/http/access/enrolment';
import { duration } from '#core/settings/setting-kinds';
import { SECOND_MS } from '#core/units';
import { apiUrlOf, clientFrom, withApi } from '../../api-client.ts';
import { usageOf } from '../../cli-error-of.ts';
import type { CommandContext } from '../../context.ts';
import { CliError, EXIT } from '../../exit-code.ts';
import { formatTable } from '../../terminal/table.ts';
import { optionOf } from '../../typed.ts';

interface Json {
  readonly json?: boolean;
}

export interface CreateTokenOptions extends Json {
  readonly host?: string;
  readonly pool?: boolean;
  readonly expires?: string;
}

const USUAL_LIFE = '1h';

/** Makes a token with which a host enrols, and says how. */
export async function enrolTokenCreate(
  name: string | undefined,
  options: CreateTokenOptions,
  context: CommandContext,
): Promise<void> {
  if (name !== undefined)
    throw new CliError(EXIT.usage, `a token with --enrol has no name: leave "${name}" out; --host names the host`);
  const { host, pool = false, expires = USUAL_LIFE } = options;
  const lifeMs = usageOf(() => optionOf('--expires', duration, expires));
  const body = { pool, expiresInSeconds: Math.round(lifeMs / SECOND_MS), ...(host === undefined ? {} : { host }) };
  const made = await withApi(() => clientFrom(context.env).createEnrolmentToken(body));
  if (options.json) {
    context.stdout.write(`${JSON.stringify(made)}\n`);
    return;
  }
  const named = host === undefined ? '' : ` --host ${host}`;
  context.stdout.write(`${made.token}\n`);
  context.stderr.write(
    `shown this once, good for one ${host === undefined ? 'host' : `enrolment of ${host}`} until ${made.expiresAt}; on the host:\n` +
      `  haulier worker enroll --url ${apiUrlOf(context.env)} --token ${made.token}${named}\n`,
  );
}

export async function enrolTokenList(options: Json, context: CommandContext): Promise<void> {
  const tokens = await withApi(() => clientFrom(context.env).listEnrolmentTokens());
  if (options.json) {
    context.stdout.write(`${JSON.stringify({ tokens })}\n`);
    return;
  }
  const { columns } = context.stdout;
  context.stdout.write(
    `${formatTable(['id', 'ends', 'host', 'pool', 'state', 'until'], tokens.map(rowOf), [], columns, [0])}\n`,
  );
}

const rowOf = ({ id, last4, host, pool, state, usedBy, expiresAt }: EnrolmentToken): string[] => [
  id,
  `…${last4}`,
  host ?? 'any',
  pool ? 'yes' : '',
  usedBy === null ? state : `${state} by ${usedBy}`,
  expiresAt,
];
