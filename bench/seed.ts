import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { messageOf } from '#core/error-facts';
import { silentLogger } from '#core/logger';
import { wholeNumber } from '#core/settings/setting-kinds';
import { SECOND_MS, formatDuration, parseDuration } from '#core/units';
import { connect } from '#database/sql/connect';
import { startPostgres } from '#embedded/postgres';
import { seed, type SeedPlan } from './seed/seed-all.ts';

const USAGE = `usage: npm run seed -- [--hosts 10000] [--days 30] [--downloads N] [--online-for 12h] [--home FOLDER | --database URL]

  Fills a database with a plausible fleet: hosts, models, rollouts in every state, downloads, tries. Nothing is transferred.

  --hosts N         1 to 100000; default 10000
  --days N          how far the history goes back, 1 to 365; default 30
  --downloads N     at most 5000000; default: three a day for each host, at most 1000000
  --online-for D    so long the hosts count as online without any worker; default 12h
  --home FOLDER     the database is the one that \`HAULIER_HOME=FOLDER npm start\` uses; default ~/.haulier-seed
  --database URL    fills this database instead, also a running one: what is there stays
`;

const PROGRAMS = fileURLToPath(new URL('../../.cache', import.meta.url));
const MIGRATIONS = fileURLToPath(new URL('../../prisma/migrations', import.meta.url));
const REPORT_EVERY_MS = SECOND_MS;

const OPTIONS = ['hosts', 'days', 'downloads', 'online-for', 'home', 'database'] as const;

interface Wish {
  readonly plan: Omit<SeedPlan, 'now' | 'report'>;
  readonly home: string;
  readonly databaseUrl: string | undefined;
}

/** @throws RangeError for an option that is not as it should be */
function wishOf(words: readonly string[]): Wish {
  const { values } = parseArgs({
    args: [...words],
    options: Object.fromEntries(OPTIONS.map((name) => [name, { type: 'string' as const }])),
  });
  const number = (name: string, most: number, otherwise: number): number =>
    values[name] === undefined ? otherwise : reading(name, () => wholeNumber(1, most)(String(values[name])));
  const hosts = number('hosts', 100_000, 10_000);
  const days = number('days', 365, 30);
  if (values['home'] !== undefined && values['database'] !== undefined)
    throw new RangeError('give --home or --database, not both');
  return {
    plan: {
      ...{ hosts, days, migrations: MIGRATIONS },
      downloads: number('downloads', 5_000_000, Math.min(1_000_000, hosts * days * 3)),
      onlineForMs: reading('online-for', () => parseDuration(String(values['online-for'] ?? '12h'))),
    },
    home: String(values['home'] ?? join(homedir(), '.haulier-seed')),
    databaseUrl: values['database'] === undefined ? undefined : String(values['database']),
  };
}

function reading<T>(name: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new RangeError(`--${name}: ${messageOf(error)}`, { cause: error });
  }
}

/** One line for each step, and one a second while it goes on. */
function reporter(): (step: string, done: string) => void {
  const startedAt = performance.now();
  let told = '';
  let toldAt = -Infinity;
  return (step, done) => {
    const now = performance.now();
    if (step === told && now - toldAt < REPORT_EVERY_MS) return;
    told = step;
    toldAt = now;
    process.stderr.write(`seed: ${step} ${done} (${formatDuration(now - startedAt)})\n`);
  };
}

async function main(words: readonly string[]): Promise<void> {
  const { plan, home, databaseUrl } = wishOf(words);
  const report = reporter();
  const own = databaseUrl === undefined ? await startOwn(home, report) : undefined;
  const database = connect({ url: databaseUrl ?? own!.url, poolSize: 4, logger: silentLogger });
  const startedAt = performance.now();
  try {
    const made = await seed(database, { ...plan, now: new Date(), report });
    const took = formatDuration(performance.now() - startedAt);
    process.stdout.write(
      `${JSON.stringify({ ...made, seconds: Math.round((performance.now() - startedAt) / 100) / 10 })}\n`,
    );
    process.stderr.write(
      `seed: done in ${took}${own === undefined ? '' : `; see it with: HAULIER_HOME=${home} npm start`}\n`,
    );
  } finally {
    await database.close();
    await own?.stop();
  }
}

async function startOwn(home: string, report: SeedPlan['report']): Promise<{ url: string; stop: () => Promise<void> }> {
  report('starting PostgreSQL', `in ${home}`);
  return startPostgres({
    ...{ dataDir: join(home, 'postgres'), cacheDir: PROGRAMS, logger: silentLogger },
    onProgress: (step) => report('starting PostgreSQL:', step),
  });
}

await main(process.argv.slice(2)).catch((error: unknown) => {
  const isUsage = error instanceof RangeError || (error as { code?: unknown }).code === 'ERR_PARSE_ARGS_UNKNOWN_OPTION';
  process.stderr.write(`seed: ${messageOf(error)}\n${isUsage ? `\n${USAGE}` : ''}`);
  process.exitCode = isUsage ? 2 : 1;
});
