import { spawn } from 'node:child_process';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { runCommand } from '#embedded/command';
import { until } from '../../helpers/until.ts';

const MAIN = fileURLToPath(new URL('../../../dist/bundles/cli/main.js', import.meta.url));
/** No machine has a user of this id. */
const UID = 2_094_967_294;

const whyNot = await reasonToSkip();
const test = whyNot === '' ? it : it.skip;

/** Only root may become another user, who must be able to read the program and to make a user namespace. */
async function reasonToSkip(): Promise<string> {
  if (process.getuid?.() !== 0) return ': skipped, only root can become a user without a name';
  const program = runCommand(process.execPath, [MAIN, '--version'], { cwd: '/', uid: UID, gid: UID });
  const namespace = runCommand('unshare', ['--user', '--map-user=65534', 'true'], { cwd: '/', uid: UID, gid: UID });
  return Promise.all([program, namespace]).then(
    () => '',
    (error: unknown) => `: skipped (${String(error).split('\n', 1)[0]})`,
  );
}

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'haulier-user-'));
  await chmod(folder, 0o777);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

function haulier(args: readonly string[], env: Record<string, string>) {
  const child = spawn(process.execPath, [MAIN, ...args], {
    ...{ cwd: '/', uid: UID, gid: UID },
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const code = new Promise((resolve) => child.once('close', resolve));
  return { child, code, stderr: text(child.stderr) };
}

describe(`a user id without a name, as containers give it${whyNot}`, () => {
  test('K33 is told to name a folder, as it has no home', async () => {
    const { code, stderr } = haulier(['worker', 'gc'], {});
    expect(await code).toBe(2);
    expect(await stderr).toContain('HAULIER_HOME is missing, and this user has no home folder');
  });

  test('K33 runs the whole stack', async () => {
    const redis = process.env['HAULIER_TEST_REDIS_URL']!;
    const env = { HAULIER_HOME: join(folder, 'home'), HAULIER_PORT: '0', REDIS_URL: redis };
    const prefix = { HAULIER_REDIS_PREFIX: `{user-${process.pid}}` };
    const { child, code, stderr } = haulier(['up', '--workers', '0'], { ...env, ...prefix });
    let said = '';
    child.stdout.setEncoding('utf8').on('data', (more: string) => (said += more));
    await Promise.race([code, until(() => said.includes('admin token'), { what: 'the stack runs' })]);
    child.kill('SIGINT');
    expect({ code: await code, stderr: await stderr }).toMatchObject({ code: 130 });
    expect(said).toContain('/api/status');
  });
});
