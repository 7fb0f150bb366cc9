import { hostname } from 'node:os';
import { join } from 'node:path';
import { wholeNumber } from '#core/settings/setting-kinds';
import { usageOf } from '../../cli-error-of.ts';
import type { CommandContext } from '../../context.ts';
import { CliError, EXIT } from '../../exit-code.ts';
import { settingsFrom } from '../../settings.ts';
import { stackConfig } from '../../stack/stack-config.ts';
import { dashboardAddress, firstAccess, type AccessMessage } from '../../stack/first-access.ts';
import { startStack } from '../../stack/start-stack.ts';
import { optionOf } from '../../typed.ts';

const WORKERS = wholeNumber(0, 64);
const MAX_HOST_NAME_CHARS = 100;

/** Runs the whole stack until it is interrupted or one of its processes ends. */
export async function up(options: { workers: string }, context: CommandContext): Promise<void> {
  const count = usageOf(() => optionOf('--workers', WORKERS, options.workers));
  const config = stackConfig(context.env);
  const host = settingsFrom(context.env, 'HAULIER_HOST').HAULIER_HOST ?? machineName();
  const stack = await startStack({
    ...config,
    distDir: context.distDir,
    enrol: true,
    env: context.env,
    workers: Array.from({ length: count }, (_, index) => workerOptions(config.home, host, index)),
    report: (step) => context.stderr.write(`haulier: ${step}\n`),
    signal: context.signal,
  });
  try {
    context.stdout.write(greeting(stack.apiUrl, firstAccess(stack.api.messages)));
    const ended = await Promise.race([stack.failed, untilAborted(context.signal)]);
    if (ended)
      throw new CliError(EXIT.failed, `the ${ended.name} ended by itself; its log says:\n${await ended.logTail()}`);
    context.stderr.write('haulier: stopping\n');
  } finally {
    await stack.stop();
  }
}

/** @returns the name of the machine in the form of a host name */
export const machineName = (): string =>
  hostname()
    .replace(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[._-]+/, '')
    .slice(0, MAX_HOST_NAME_CHARS) || 'localhost';

/** Every worker is a host of its own, with a store of its own, and enrols: only the first has the name of the machine. */
export function workerOptions(home: string, host: string, index: number): { name: string; env: NodeJS.ProcessEnv } {
  if (index === 0) return { name: 'worker', env: { HAULIER_HOST: host, HAULIER_POOL: '1' } };
  const suffix = `-${index + 1}`;
  const name = `${host.slice(0, MAX_HOST_NAME_CHARS - suffix.length)}${suffix}`;
  const env = { HAULIER_HOME: join(home, `worker${suffix}`), HAULIER_HOST: name, HAULIER_POOL: '1' };
  return { name: `worker${suffix}`, env };
}

function greeting(apiUrl: string, access: AccessMessage): string {
  const { adminToken } = access;
  const lines = [
    `dashboard    ${dashboardAddress(apiUrl, access)}`,
    `API          ${apiUrl}/api/status`,
    `API docs     ${apiUrl}/docs`,
    `queue board  ${apiUrl}/admin/queues`,
    ...(adminToken ? [`admin token  ${adminToken}   (shown once: only its hash is stored)`] : []),
  ];
  return `${lines.join('\n')}\n`;
}

export const untilAborted = (signal: AbortSignal): Promise<undefined> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve(undefined);
    signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });
