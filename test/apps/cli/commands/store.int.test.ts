import { existsSync } from 'node:fs';
import { chmod, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { blobPath } from '#store/layout';
import { openStore, type Store } from '#store/open-store';
import { runCli, startCli, type CliEnd } from '../../../helpers/cli.ts';
import { sha256Of, someBytes } from '../../../helpers/origin/origin-content.ts';
import { testRedisUrl } from '../../../helpers/services.ts';

const encoder = someBytes(300_000, 'encoder');
const config = Buffer.from('{"a":1}');

describe('a host’s store from the command line', () => {
  let home: string;
  let store: Store;

  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'haulier-store-cli-'));
    store = await openStore({ home });
    const versionPaths = ['config.json', 'encoder.bin'];
    for (const [path, bytes] of [['config.json', config] as const, ['encoder.bin', encoder] as const]) {
      const partialPath = join(home, 'partials', `${path}.test`);
      await writeFile(partialPath, bytes);
      const digests = { sha256: sha256Of(bytes) };
      const view = { model: 'whisper', version: '1', path, versionPaths };
      await store.publish({ partialPath, sha256: digests.sha256, sizeBytes: bytes.length, digests, view });
    }
  });

  afterEach(() => rm(home, { recursive: true, force: true }));

  const cli = (...args: string[]): Promise<CliEnd> => runCli(args, { env: { HAULIER_HOME: home } });
  const blob = (bytes: Buffer): string => blobPath(store.paths, sha256Of(bytes));

  async function damage(bytes: Buffer): Promise<void> {
    const path = blob(bytes);
    await chmod(path, 0o644);
    const wrong = Buffer.from(bytes);
    wrong[5]! ^= 1;
    await writeFile(path, wrong);
  }

  it('CH4 verify finds no problem in a good store', async () => {
    const { code, stdout } = await cli('worker', 'verify', 'whisper');
    expect([code, stdout]).toEqual([0, '2 contents, 300 kB are right, 0 are wrong\n']);
    expect(await cli('worker', 'verify', 'other')).toMatchObject({ code: 4, stdout: '' });
  });

  it('VE3 verify quarantines a corrupt file, names it and ends with 1, and again while the model lacks it', async () => {
    await damage(encoder);
    const { code, stdout } = await cli('worker', 'verify', '--json');
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      checkedFiles: 2,
      problems: [{ sha256: sha256Of(encoder), files: ['whisper@1/encoder.bin'] }],
    });
    const again = await cli('worker', 'verify', 'whisper');
    expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining('models are incomplete') });
    expect(again.stdout).toContain('whisper@1/encoder.bin  missing');
  });

  it.each(['verify', 'gc'])('%s refuses a folder that holds no store, and makes none there', async (command) => {
    const empty = await mkdtemp(join(tmpdir(), 'haulier-no-store-'));
    const ended = await runCli(['worker', command], { env: { HAULIER_HOME: empty } });
    expect(ended).toMatchObject({ code: 2, stderr: expect.stringContaining(`${empty} holds no store`) });
    expect(await readdir(empty)).toEqual([]);
    await rm(empty, { recursive: true });
  });

  it('VE5 gc lists exactly what it then deletes', async () => {
    const loose = Buffer.from('nothing names this');
    const partialPath = join(home, 'partials', 'loose.test');
    await writeFile(partialPath, loose);
    const sha256 = sha256Of(loose);
    await store.publish({ partialPath, sha256, sizeBytes: loose.length, digests: { sha256 } });
    await utimes(blob(loose), new Date(0), new Date(0));

    const planned = await cli('worker', 'gc', '--dry-run', '--json');
    expect(JSON.parse(planned.stdout)).toMatchObject({ dryRun: true, freedBytes: loose.length });
    expect(existsSync(blob(loose))).toBe(true);
    const { actions } = JSON.parse(planned.stdout) as { actions: unknown[] };
    expect(actions).toMatchObject([{ delete: 'blob', sha256, reason: 'nothing names it' }]);

    const done = await cli('worker', 'gc', '--json');
    expect(JSON.parse(done.stdout)).toMatchObject({ dryRun: false, actions, freedBytes: loose.length });
    expect(existsSync(blob(loose))).toBe(false);
    expect((await cli('worker', 'gc')).stdout).toMatch(/^deleted 0 items, 0 B of 300 kB$/m);
  });

  it('VE5 gc takes its limits from the environment, as the worker does, and refuses bad ones', async () => {
    const limits = async (env: Record<string, string>): Promise<CliEnd> =>
      runCli(['worker', 'gc', '--dry-run'], { env: { HAULIER_HOME: home, ...env } });
    expect((await limits({ HAULIER_STORE_WARN_BYTES: '1K' })).stderr).toContain('warning: the store has');
    expect(await limits({ HAULIER_STORE_KEEP_VERSIONS: 'long' })).toMatchObject({
      ...{ code: 2, stderr: expect.stringContaining('HAULIER_STORE_KEEP_VERSIONS is "long": write a duration') },
    });
  });

  it('CH5 bundles models of the store, the same each time, and verifies bundles', async () => {
    const [a, b] = [join(home, 'a.tar'), join(home, 'b.tar')];
    expect(await cli('bundle', 'create', 'whisper', '-o', a)).toMatchObject({ code: 0 });
    const made = await cli('bundle', 'create', 'whisper@1', '-o', b, '--json');
    expect(JSON.parse(made.stdout)).toMatchObject({ path: b, models: ['whisper@1'], members: 2 });
    expect((await readFile(a)).equals(await readFile(b))).toBe(true);
    expect(await cli('bundle', 'verify', a)).toMatchObject({ code: 0, stdout: expect.stringContaining('all right') });

    const bytes = await readFile(a);
    bytes[bytes.indexOf(encoder.subarray(0, 64)) + 9]! ^= 1;
    await writeFile(a, bytes);
    const damaged = await cli('bundle', 'verify', a, '--json');
    expect(damaged.code).toBe(1);
    expect(JSON.parse(damaged.stdout).problems).toEqual([
      expect.stringContaining(sha256Of(encoder)),
      'whisper@1 lacks encoder.bin',
    ]);
    expect(damaged.stderr).toContain(`blobs/sha256/${sha256Of(encoder)} has SHA-256`);
  });

  it('CH5 refuses to bundle an incomplete model, and names the missing files', async () => {
    const out = join(home, 'x.tar');
    expect(await cli('bundle', 'create', 'none', '-o', out)).toMatchObject({
      ...{ code: 4, stderr: expect.stringContaining('model "none" is not on this host; it has: whisper') },
    });
    expect(await cli('bundle', 'create', 'whisper@2', '-o', out)).toMatchObject({
      ...{ code: 4, stderr: expect.stringContaining('version "2" of model "whisper" is not on this host; it has: 1') },
    });
    await rm(blob(encoder), { force: true });
    expect(await cli('bundle', 'create', 'whisper', '-o', out)).toMatchObject({
      ...{ code: 1, stderr: expect.stringContaining('before these files are fetched again: encoder.bin (missing)') },
    });
  });

  it('refuses a file that is no bundle', async () => {
    const path = join(home, 'x.tar');
    await writeFile(path, 'hello');
    expect(await cli('bundle', 'verify', path)).toMatchObject({ code: 1, stderr: expect.stringMatching(/^error: /) });
    expect(await cli('bundle', 'verify', join(home, 'nowhere.tar'))).toMatchObject({ code: 2 });
  });

  it('K24 worker run passes the signal on and ends with the worker’s own code', async () => {
    const env = { HAULIER_HOME: home, HAULIER_HOST: 'host-cli', REDIS_URL: testRedisUrl() };
    const { child, ended } = startCli(['worker', 'run'], { env });
    let log = '';
    const ready = new Promise<void>((resolve) => {
      child.stdout!.on('data', (data: Buffer) => (log += data.toString()).includes('worker takes jobs') && resolve());
    });
    await ready;
    child.kill('SIGTERM');
    expect((await ended).code).toBe(0);

    const refused = await runCli(['worker', 'run'], { env: { HAULIER_HOME: home } });
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('REDIS_URL');
  });
});
