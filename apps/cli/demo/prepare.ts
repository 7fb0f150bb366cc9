import { randomBytes } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createClient } from '#client/client';
import { messageOf } from '#core/error-facts';
import { takeServerLock } from '#embedded/server-lock';
import type { CommandContext } from '../context.ts';
import { CliError, EXIT } from '../exit-code.ts';
import { settingsFrom } from '../settings.ts';
import { isFree } from '../stack/port.ts';
import { haulierHome } from '../stack/stack-config.ts';
import { makeHome, startStack, type Stack } from '../stack/start-stack.ts';
import { makeDemoFile, type DemoFile } from './demo-file.ts';
import { startDemoOrigin, type DemoOrigin } from './origin.ts';
import { DEMO_COMMIT, DEMO_REPO, type DemoStage } from './stage.ts';

const BIND = '127.0.0.1';
const USUAL_PORT = 7420;

/** The files of the demo's model: large, medium and small. */
const FILES = [
  { path: 'onnx/decoder.bin', sizeBytes: 300_000_000, seed: 'haulier-demo-300mb' },
  { path: 'onnx/encoder.bin', sizeBytes: 20_000_000, seed: 'haulier-demo-20mb' },
  { path: 'config.bin', sizeBytes: 3_000, seed: 'haulier-demo-3kb' },
];

/** Settings of the caller, which are for the caller's own stack: the demo has its own sources, servers and limits, and no proxy. */
const SETTINGS = /^(HAULIER_|HF_|IPFS_|DATABASE_URL|REDIS_URL|HTTPS?_PROXY$|NO_PROXY$|ALL_PROXY$)/i;

/**
 * Starts an origin, the stack, and empty hosts with new names, so that no file of an earlier run is repaired or found.
 *
 * @param stops receives a function for each part that was started, also when this fails
 */
export async function prepare(context: CommandContext, stops: (() => Promise<void>)[]): Promise<DemoStage> {
  const report = (step: string): void => void context.stderr.write(`demo: ${step}\n`);
  const home = join(haulierHome(context.env), 'demo');
  await takeHome(home, stops);
  const run = Date.now().toString(36);
  const hostHome = join(home, 'host');
  for (const folder of [hostHome, join(home, 'air-gapped')]) await rm(folder, { recursive: true, force: true });
  const making = makeFiles(join(home, 'origin'));
  making.catch(() => undefined); // awaited below, unless the stack fails before
  const origin = await startDemoOrigin(DEMO_REPO);
  stops.push(() => origin.stop());
  const token = `demo-${randomBytes(24).toString('base64url')}`;
  const own = { ...context, env: withoutSettings(context.env) };
  const host = `demo-host-${run}`;
  const workerEnv = { ...sourcesAt(origin), HAULIER_HOME: hostHome, HAULIER_HOST: host };
  const stack = await startDemoStack({ context, home, token, workerEnv, report });
  stops.push(() => stack.stop());
  const files = await making;
  origin.publish(DEMO_COMMIT, files);
  const client = createClient({ baseUrl: stack.apiUrl, token });
  return { client, stack, origin, files, model: `demo-${run}`, host, hostHome, token, context: own, report };
}

/** The lock refuses a second demo in the same folder, which would delete the hosts of the first. */
async function takeHome(home: string, stops: (() => Promise<void>)[]): Promise<void> {
  await makeHome(home);
  const lock = await takeServerLock(join(home, 'lock.json'), `the demo's folder ${home}`).catch((cause: unknown) => {
    throw new CliError(EXIT.failed, messageOf(cause), { cause });
  });
  stops.push(() => lock.release());
}

async function startDemoStack({
  context,
  home,
  token,
  workerEnv,
  report,
}: {
  context: CommandContext;
  home: string;
  token: string;
  workerEnv: NodeJS.ProcessEnv;
  report: (step: string) => void;
}): Promise<Stack> {
  const { HAULIER_PORT: wanted } = settingsFrom(context.env, 'HAULIER_PORT');
  return startStack({
    home,
    cacheDir: haulierHome(context.env),
    distDir: context.distDir,
    databaseUrl: undefined,
    redisUrl: undefined,
    bind: BIND,
    port: wanted === USUAL_PORT && !(await isFree(BIND, wanted)) ? 0 : wanted,
    env: { ...withoutSettings(context.env), HAULIER_ADMIN_TOKEN: token },
    workers: [{ name: 'worker', env: workerEnv }],
    enrol: true,
    report,
    signal: context.signal,
  });
}

const withoutSettings = (env: NodeJS.ProcessEnv): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(env).filter(([name]) => !SETTINGS.test(name)));

/** Points both layers to the local origin. The high rate lets the demo verify its files at once. */
export const sourcesAt = (origin: DemoOrigin): NodeJS.ProcessEnv => ({
  IPFS_GATEWAYS: origin.url,
  HF_ENDPOINT: origin.url,
  HAULIER_VERIFY_RATE: '10GB',
});

async function makeFiles(folder: string): Promise<DemoFile[]> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const files: DemoFile[] = [];
  for (const { path, sizeBytes, seed } of FILES) files.push(await makeDemoFile(folder, path, sizeBytes, seed));
  return files;
}
