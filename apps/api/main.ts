import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { SIGN_IN_PAGE } from '#contracts/http/access/session';
import { messageOf } from '#core/error-facts';
import { silentLogger, type Logger } from '#core/logger';
import { SECOND_MS } from '#core/units';
import { connect } from '#database/sql/connect';
import { programLog } from '#os/program-log';
import { createApiProcess, type ApiProcess } from './api-process.ts';
import { createLostAdminToken } from './access/first-admin-token.ts';
import { readApiConfig } from './config.ts';
import type { ApiConfig } from './config.ts';
import { LOG_REDACTION } from './server/log-redaction.ts';
import { findProjectFiles } from './project-files.ts';
import { migrateWhenUp, type FirstAccess } from './start-up.ts';

const STOP_DEADLINE_MS = 10 * SECOND_MS;
const EXIT_FAILED = 1;

async function main(): Promise<void> {
  const migrateOnly = process.argv.includes('--migrate-only');
  const tokenName = optionValue('--create-admin-token');
  const needsNoRedis = migrateOnly || tokenName !== undefined;
  const config = readApiConfig(process.env, (path) => readFileSync(path, 'utf8'), needsNoRedis ? ['REDIS_URL'] : []);
  if (tokenName !== undefined) return createTokenAndEnd(config, tokenName);
  const log = await programLog({
    ...{ name: 'haulier-api', level: config.logLevel, redact: LOG_REDACTION },
    ...{ output: process.stdout, colours: !process.env['NO_COLOR'] },
  });
  for (const warning of config.warnings) log.warn(warning);
  const files = findProjectFiles(import.meta.url);
  if (migrateOnly) return migrateAndEnd(config, files.migrations, log);

  const api = await createApiProcess(config, files, log);
  let stopping: Promise<void> | undefined;
  const stop = (reason: string): void => {
    if (stopping !== undefined) process.exit(EXIT_FAILED);
    log.info({ reason }, 'stopping; a second signal ends it at once');
    setTimeout(() => process.exit(EXIT_FAILED), STOP_DEADLINE_MS).unref();
    stopping = api.stop().then(
      () => process.exit(0),
      (err: unknown) => {
        log.error({ err }, 'did not stop in order');
        process.exit(EXIT_FAILED);
      },
    );
  };
  process.on('SIGTERM', () => stop('SIGTERM'));
  process.on('SIGINT', () => stop('SIGINT'));
  // A parent with an IPC channel takes this process with it when it ends.
  process.on('disconnect', () => stop('parent is gone'));
  if (process.connected === false) stop('parent is gone');
  process.on('message', (message) => void answerParent(api, message));
  try {
    tellAccess(await api.start());
  } catch (error) {
    if (stopping === undefined) throw error;
  }
}

/** The first access is sent to the parent process where there is one, else printed on stdout. It is never logged. */
function tellAccess({ url, adminToken, setupCode }: { readonly url: string } & FirstAccess): void {
  if (adminToken === undefined && setupCode === undefined) return;
  if (process.send !== undefined) {
    process.send({ adminToken, setupCode });
    return;
  }
  if (adminToken !== undefined)
    process.stdout.write(`admin token (shown once, only its hash is kept): ${adminToken}\n`);
  if (setupCode !== undefined)
    process.stdout.write(
      `sign in to the dashboard (works once, within a day): ${url}${SIGN_IN_PAGE}#code=${setupCode}\n`,
    );
}

const EnrolmentWish = z.object({ enrol: z.object({ host: z.string(), pool: z.boolean() }) });

/** The process that started this one may ask for enrolment tokens of its workers: it holds every credential already. */
async function answerParent(api: ApiProcess, message: unknown): Promise<void> {
  const { data } = EnrolmentWish.safeParse(message);
  if (data === undefined) return;
  const { host } = data.enrol;
  const answer = await api.enrolmentToken(data.enrol).then(
    (token) => ({ token }),
    (error: unknown) => ({ refused: messageOf(error) }),
  );
  process.send?.({ enrolment: { host, ...answer } });
}

/** The text after an option of the command line; undefined without the option. */
function optionValue(option: string): string | undefined {
  const place = process.argv.indexOf(option);
  return place < 0 ? undefined : (process.argv[place + 1] ?? '');
}

/** For an operator who lost the last admin token: access to the database is the proof. */
async function createTokenAndEnd(config: ApiConfig, name: string): Promise<void> {
  if (name.trim() === '') throw new Error('--create-admin-token needs a name for the token');
  const database = connect({ url: config.databaseUrl, poolSize: 1, logger: silentLogger });
  try {
    process.stdout.write(`${await createLostAdminToken(database, name.trim(), new Date())}\n`);
  } finally {
    await database.close();
  }
}

async function migrateAndEnd(config: ApiConfig, migrations: string, log: Logger): Promise<void> {
  const database = connect({ url: config.databaseUrl, poolSize: 2, logger: log });
  try {
    await migrateWhenUp({ database, migrations, log, signal: new AbortController().signal });
  } finally {
    await database.close();
  }
}

await main().catch((error: unknown) => {
  process.stderr.write(`haulier-api: ${messageOf(error)}\n`);
  process.exit(EXIT_FAILED);
});
