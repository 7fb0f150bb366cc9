import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { CreatedEnrolmentToken } from '#contracts/http/access/enrolment';
import { startApp, type TestApp } from '../../api/start-app.ts';
import { runCli, startCli, type CliEnd } from '../../../helpers/cli.ts';

describe('enrolment on the command line', () => {
  let api: TestApp;
  let home: string;
  beforeAll(async () => {
    api = await startApp();
    home = await mkdtemp(join(tmpdir(), 'haulier-enroll-'));
  });
  afterAll(async () => {
    await rm(home, { recursive: true, force: true });
    await api.stop();
  });

  const asAdmin = (...args: string[]): Promise<CliEnd> =>
    runCli(args, { env: { HOME: home, HAULIER_URL: api.url, HAULIER_TOKEN: api.tokens.admin } });
  const onHost = (...args: string[]): Promise<CliEnd> => runCli(args, { env: { HAULIER_HOME: home, HOME: home } });

  it('N43 a token of haulier token create --enrol enrols a host once, and its worker runs without any other setting', async () => {
    const made = await asAdmin('token', 'create', '--enrol', '--host', 'GPU-1', '--expires', '10m');
    expect([made.code, made.stderr]).toEqual([0, expect.stringContaining('haulier worker enroll --url')]);
    const token = made.stdout.trim();
    const enroll = ['worker', 'enroll', '--url', api.url, '--token', token, '--host', 'GPU-1'];
    const enrolled = await onHost(...enroll);
    expect([enrolled.code, enrolled.stderr]).toEqual([0, '']);
    expect(enrolled.stdout).toContain('enrolled as "GPU-1" at');
    const again = await onHost(...enroll);
    expect([again.code, again.stderr]).toEqual([1, expect.stringContaining('the enrolment token is unknown, used')]);
    const kept = await readFile(join(home, 'worker', 'enrolment.json'), 'utf8');
    expect(kept).not.toContain(token);

    const { child, ended } = startCli(['worker', 'run'], { env: { HAULIER_HOME: home } });
    let said = '';
    await new Promise<void>((resolve, reject) => {
      child.stdout!.on('data', (chunk: Buffer) => {
        said += chunk.toString('utf8');
        if (said.includes('worker takes jobs')) resolve();
      });
      child.once('exit', () => reject(new Error(`the worker ended: ${said}`)));
    });
    child.kill('SIGTERM');
    expect((await ended).code).toBe(0);

    const list = await asAdmin('token', 'list', '--enrol');
    expect(list.stdout).toMatch(/gpu-1 .*used by gpu-1/);
    const revoked = await asAdmin('host', 'revoke', 'gpu-1');
    expect([revoked.code, revoked.stdout]).toEqual([0, expect.stringContaining('GPU-1 is revoked')]);
  });

  it.each([
    [['token', 'create'], 'name the token'],
    [['token', 'create', 'ci', '--enrol'], 'a token with --enrol has no name: leave "ci" out'],
    [['token', 'create', '--enrol', '--expires', 'soon'], '--expires'],
    [['worker', 'enroll', '--token', ''], '--token is empty'],
  ])('refuses haulier %j with a sentence', async (args, sentence) => {
    const { code, stderr } = await asAdmin(...args);
    expect([code, stderr]).toEqual([2, expect.stringContaining(sentence)]);
  });

  it('gives one JSON document', async () => {
    const { stdout } = await asAdmin('token', 'create', '--enrol', '--pool', '--json');
    expect(JSON.parse(stdout) as CreatedEnrolmentToken).toMatchObject({ host: null, pool: true, state: 'usable' });
  });
});
