import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '#core/error-facts';
import { takeServerLock } from '#embedded/server-lock';
import type { CommandContext } from '../context.ts';
import { CliError, EXIT } from '../exit-code.ts';
import { settingsFrom } from '../settings.ts';
import { dashboardAddress, firstAccess } from '../stack/first-access.ts';
import { isFree } from '../stack/port.ts';
import { haulierHome } from '../stack/stack-config.ts';
import { makeHome, startStack, type Stack, type StackWorker } from '../stack/start-stack.ts';
import { makeDemoFile, type DemoFile } from './demo-file.ts';
import { startDemoOrigin, type DemoOrigin } from './origin.ts';
import { DEMO_REPO } from './stage.ts';

const BIND = '127.0.0.1';
const USUAL_PORT = 7420;

/** Settings of the caller, which are for the caller's own stack: a demo has its own sources, servers and limits, and no proxy. */
const SETTINGS = /^(HAULIER_|HF_|IPFS_|DATABASE_URL|REDIS_URL|HTTPS?_PROXY$|NO_PROXY$|ALL_PROXY$)/i;

/** Servers that a demo uses instead of its own. */
export interface DemoServers {
  readonly databaseUrl: string;
  readonly redisUrl: string;
  /** Before every key in Redis. */
  readonly redisPrefix: string;
  /** Workers may get users of their own in Redis. */
  readonly enrol?: boolean;
}

export interface GroundOptions {
  /** Used instead of servers of the demo's own. */
  readonly servers?: DemoServers | undefined;
  /** Of the link of the origin; undefined: no limit. */
  readonly originBytesPerSecond?: number | undefined;
}

/** What every demo stands on. */
export interface DemoGround {
  /** Folder of this demo; its lock is held. */
  readonly home: string;
  /** New for each run; names of models and hosts hold it. */
  readonly run: string;
  readonly origin: DemoOrigin;
  /** Admin token of the demo's API. */
  readonly token: string;
  /** With an environment without the caller's settings. */
  readonly context: CommandContext;
  readonly report: (step: string) => void;
  startStack(workers: readonly StackWorker[], apiEnv?: NodeJS.ProcessEnv): Promise<Stack>;
}

/**
 * Takes the folder of a demo and starts its origin.
 *
 * @param folder name of the demo's folder in HAULIER_HOME
 * @param stops receives a function for each part that was started, also when this fails
 * @throws CliError when another demo runs in the folder
 */
export async function prepareGround(
  context: CommandContext,
  folder: string,
  stops: (() => Promise<void>)[],
  { servers, originBytesPerSecond }: GroundOptions = {},
): Promise<DemoGround> {
  const report = (step: string): void => void context.stderr.write(`demo: ${step}\n`);
  const home = join(haulierHome(context.env), folder);
  await takeHome(home, stops);
  const origin = await startDemoOrigin(DEMO_REPO, { bytesPerSecond: originBytesPerSecond });
  stops.push(() => origin.stop());
  const token = `demo-${randomBytes(24).toString('base64url')}`;
  const own = { ...context, env: withoutSettings(context.env) };
  const run = Date.now().toString(36);
  const start = async (workers: readonly StackWorker[], apiEnv: NodeJS.ProcessEnv = {}): Promise<Stack> => {
    const stack = await startDemoStack(context, home, servers, {
      ...{ report, workers },
      env: { ...own.env, ...prefixOf(servers), HAULIER_ADMIN_TOKEN: token, ...apiEnv },
    });
    stops.push(() => stack.stop());
    report(`dashboard: ${dashboardAddress(stack.apiUrl, firstAccess(stack.api.messages))}`);
    return stack;
  };
  return { home, run, origin, token, context: own, report, startStack: start };
}

/** The lock refuses a second demo in the same folder, which would delete the hosts of the first. */
async function takeHome(home: string, stops: (() => Promise<void>)[]): Promise<void> {
  await makeHome(home);
  const lock = await takeServerLock(join(home, 'lock.json'), `the demo's folder ${home}`).catch((cause: unknown) => {
    throw new CliError(EXIT.failed, messageOf(cause), { cause });
  });
  stops.push(() => lock.release());
}

async function startDemoStack(
  context: CommandContext,
  home: string,
  servers: DemoServers | undefined,
  own: {
    readonly report: (step: string) => void;
    readonly workers: readonly StackWorker[];
    readonly env: NodeJS.ProcessEnv;
  },
): Promise<Stack> {
  const { HAULIER_PORT: wanted } = settingsFrom(context.env, 'HAULIER_PORT');
  return startStack({
    ...own,
    home,
    cacheDir: haulierHome(context.env),
    distDir: context.distDir,
    databaseUrl: servers?.databaseUrl,
    redisUrl: servers?.redisUrl,
    // On servers of others no users are made unless that is allowed.
    enrol: servers?.enrol ?? servers === undefined,
    bind: BIND,
    port: wanted === USUAL_PORT && !(await isFree(BIND, wanted)) ? 0 : wanted,
    signal: context.signal,
  });
}

const prefixOf = (servers: DemoServers | undefined): NodeJS.ProcessEnv =>
  servers === undefined ? {} : { HAULIER_REDIS_PREFIX: servers.redisPrefix };

const withoutSettings = (env: NodeJS.ProcessEnv): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(env).filter(([name]) => !SETTINGS.test(name)));

/** Points both layers to the local origin. The high rate lets the demo verify its files at once. */
export const sourcesAt = (origin: DemoOrigin): NodeJS.ProcessEnv => ({
  IPFS_GATEWAYS: origin.url,
  HF_ENDPOINT: origin.url,
  HAULIER_VERIFY_RATE: '10GB',
});

/** A file of a demo before it is generated. */
export interface DemoFileSpec {
  readonly path: string;
  readonly sizeBytes: number;
  /** The same seed gives the same bytes. */
  readonly seed: string;
}

/** Generates the files in a folder, or keeps those that are there. */
export async function makeDemoFiles(folder: string, specs: readonly DemoFileSpec[]): Promise<DemoFile[]> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const files: DemoFile[] = [];
  for (const { path, sizeBytes, seed } of specs) files.push(await makeDemoFile(folder, path, sizeBytes, seed));
  return files;
}
