import { z } from 'zod';
import { DurationMs } from '#contracts/parsed-by';
import { DEFAULT_REDIS_PREFIX } from '#contracts/redis-prefix';
import { DAY_MS } from '#core/units';
import { settingsOf, type Environment } from '#os/settings';

const Env = z.object({
  HAULIER_BIND: z.string().min(1).default('127.0.0.1'),
  HAULIER_PORT: z.coerce.number().int().min(0).max(65_535).default(7420),
  DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/, error: 'write postgresql://user:password@host:5432/database' }),
  REDIS_URL: z.url({ protocol: /^rediss?$/, error: 'write redis://host:6379' }),
  HAULIER_ADMIN_TOKEN: z.string().min(20, 'an admin token has at least 20 characters').max(200).optional(),
  HAULIER_REDIS_PREFIX: z.string().min(1).max(60).default(DEFAULT_REDIS_PREFIX),
  HAULIER_QUEUE_BOARD: z
    .enum(['read-only', 'writable', 'off'], 'choose read-only, writable or off')
    .default('read-only'),
  HAULIER_DOCS: z.enum(['on', 'off'], 'choose on or off').default('on'),
  HAULIER_DATABASE_POOL: z.coerce.number().int().min(2).max(200).default(10),
  HAULIER_LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
  HAULIER_SILENT_AFTER: DurationMs.default(240_000),
  HAULIER_SWEEP_EVERY: DurationMs.default(30_000),
  HAULIER_HISTORY: DurationMs.default(30 * DAY_MS),
  HAULIER_VERSION_CHECK_INTERVAL: DurationMs.default(DAY_MS),
});

/** What the process needs to know; every value is decided before anything starts. */
export interface ApiConfig {
  readonly bind: string;
  /** 0 takes a free port. */
  readonly port: number;
  readonly databaseUrl: string;
  /** Most connections to Postgres at once. */
  readonly databasePool: number;
  readonly redisUrl: string;
  /** Without one, the first start makes an admin token and prints it once. */
  readonly adminToken: string | undefined;
  readonly redisPrefix: string;
  readonly queueBoard: 'read-only' | 'writable' | 'off';
  readonly docs: boolean;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent';
  /** An open download that nothing was heard of for this long is looked up in Redis; twice the lock of a job. */
  readonly silentAfterMs: number;
  readonly sweepEveryMs: number;
  /** How long single tries are remembered. */
  readonly historyMs: number;
  /** How often the origin of each model is asked for a newer version; spread by a tenth. */
  readonly versionCheckMs: number;
}

/**
 * @param env the environment; each `NAME_FILE` gives `NAME` from a file
 * @param readFile reads a text file; throws when it cannot
 * @param unneeded required variables that may be missing in this mode of running
 * @throws Error that names every bad variable at once
 */
export function readConfig(
  env: Environment,
  readFile: (path: string) => string,
  unneeded: readonly (keyof typeof PLACEHOLDERS)[] = [],
): ApiConfig {
  const { given, problems } = settingsOf(env, Object.keys(Env.shape), readFile);
  for (const name of unneeded) given[name] ??= PLACEHOLDERS[name];
  const parsed = Env.safeParse(given);
  for (const issue of parsed.error?.issues ?? []) problems.push(describe(issue, given));
  if (!parsed.success || problems.length > 0)
    throw new Error(`bad configuration\n${problems.map((line) => `  ${line}`).join('\n')}`);
  return toConfig(parsed.data);
}

const PLACEHOLDERS = { REDIS_URL: 'redis://unneeded' };

/** Values that carry secrets are named, never shown. */
const SECRET = new Set(['DATABASE_URL', 'REDIS_URL', 'HAULIER_ADMIN_TOKEN']);

function describe(issue: z.core.$ZodIssue, given: Readonly<Record<string, string>>): string {
  const name = String(issue.path[0]);
  const value = given[name];
  if (value === undefined) return `${name} is missing: set it, or ${name}_FILE`;
  return `${name}${SECRET.has(name) ? '' : `=${JSON.stringify(value)}`}: ${issue.message}`;
}

const toConfig = (env: z.infer<typeof Env>): ApiConfig =>
  Object.freeze({
    bind: env.HAULIER_BIND,
    port: env.HAULIER_PORT,
    databaseUrl: env.DATABASE_URL,
    databasePool: env.HAULIER_DATABASE_POOL,
    redisUrl: env.REDIS_URL,
    adminToken: env.HAULIER_ADMIN_TOKEN,
    redisPrefix: env.HAULIER_REDIS_PREFIX,
    queueBoard: env.HAULIER_QUEUE_BOARD,
    docs: env.HAULIER_DOCS === 'on',
    logLevel: env.HAULIER_LOG_LEVEL,
    silentAfterMs: env.HAULIER_SILENT_AFTER,
    sweepEveryMs: env.HAULIER_SWEEP_EVERY,
    historyMs: env.HAULIER_HISTORY,
    versionCheckMs: env.HAULIER_VERSION_CHECK_INTERVAL,
  });
