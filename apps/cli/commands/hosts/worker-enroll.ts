import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { CommandContext } from '../../context.ts';
import { CliError, EXIT } from '../../exit-code.ts';
import { machineName } from '../stack/up.ts';
import { settingsFrom } from '../../settings.ts';
import { refuseEmpty } from '../../enrolment/enrolment-program.ts';

export interface EnrollOptions {
  readonly url?: string;
  readonly token?: string;
  readonly host?: string;
}

/**
 * Enrols this host with the program of the worker, which keeps the key in its home.
 *
 * @throws CliError when it did not enrol; the worker has said why
 */
export async function workerEnroll({ url, token, host }: EnrollOptions, context: CommandContext): Promise<void> {
  refuseEmpty('--url', url);
  refuseEmpty('--token', token);
  refuseEmpty('--host', host);
  const { env } = context;
  const child = spawn(process.execPath, [join(context.distDir, 'apps/worker/main.js'), '--enrol'], {
    env: {
      ...env,
      HAULIER_HOST: host ?? settingsFrom(env, 'HAULIER_HOST').HAULIER_HOST ?? machineName(),
      ...(url === undefined ? {} : { HAULIER_URL: url }),
      ...(token === undefined ? {} : { HAULIER_ENROLMENT_TOKEN: token }),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  child.stdout.on('data', (chunk: Buffer) => context.stdout.write(chunk.toString('utf8')));
  child.stderr.on('data', (chunk: Buffer) => context.stderr.write(chunk.toString('utf8')));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new CliError(EXIT.failed, 'this host is not enrolled');
}
