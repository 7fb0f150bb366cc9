import { Readable } from 'node:stream';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { RolloutList } from '#contracts/http/rollouts/rollout-lists';
import { deploy, type DeployCommandOptions } from '../../../../apps/cli/commands/rollouts/deploy.ts';
import {
  rolloutAct,
  rolloutErrors,
  rolloutHosts,
  rolloutList,
  rolloutRetry,
} from '../../../../apps/cli/commands/rollouts/rollout.ts';
import { rolloutStatus, rolloutWait } from '../../../../apps/cli/commands/rollouts/rollout.ts';
import type { CommandContext } from '../../../../apps/cli/context.ts';
import { CliError } from '../../../../apps/cli/exit-code.ts';
import { until } from '../../../helpers/until.ts';
import { many, startRollouts, type RolloutKit } from '../../api/rollouts/rollout-kit.ts';

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly message: string;
}

describe('haulier deploy', () => {
  let kit: RolloutKit;
  let folder: string;
  beforeEach(async () => {
    kit = await startRollouts();
    await kit.report(many(4));
    folder = await mkdtemp(join(tmpdir(), 'haulier-deploy-'));
  });
  afterEach(async () => {
    await kit.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const run = async (
    command: (context: CommandContext) => Promise<void>,
    { env = {}, signal = new AbortController().signal }: { env?: Record<string, string>; signal?: AbortSignal } = {},
  ): Promise<Ended> => {
    const said = { stdout: '', stderr: '' };
    const context: CommandContext = {
      env: { HAULIER_URL: kit.api.url, HAULIER_TOKEN: kit.api.tokens.write, ...env },
      stdout: { write: (text) => (said.stdout += text) },
      stderr: { write: (text) => (said.stderr += text) },
      distDir: '',
      stdin: Readable.from([]),
      signal,
    };
    try {
      await command(context);
      return { code: 0, ...said, message: '' };
    } catch (error) {
      if (!(error instanceof CliError)) throw error;
      return { code: error.exitCode, ...said, message: error.message };
    }
  };
  const options = (more: Partial<DeployCommandOptions> = {}): DeployCommandOptions => ({
    ...{ hosts: 'gpu=true', until: 'all', maxDisconnect: '1s', progress: 'plain', ...more },
  });
  const deployed = (more: Partial<DeployCommandOptions> = {}, env: Record<string, string> = {}): Promise<Ended> =>
    run((context) => deploy('whisper@1', options({ wait: true, ...more }), context), { env });
  /** The id of the one rollout, once it is there and runs. */
  const theRollout = async (): Promise<string> => {
    let id: string | undefined;
    await until(
      async () => {
        const { rollouts } = (await kit.api.call('GET', '/api/rollouts')).json<RolloutList>();
        id = rollouts[0]?.id;
        return id !== undefined;
      },
      { what: 'there is a rollout' },
    );
    await kit.conduct();
    return id!;
  };

  it('waits for the verdict, tells it in lines and as one document, and ends with 0 when the threshold is met', async () => {
    const junit = join(folder, 'junit.xml');
    const summary = join(folder, 'summary.md');
    const ending = deployed({ threshold: '75%', json: true, junit, summary });
    const id = await theRollout();
    await kit.end(['gpu-000'], 'failed', 'disk-full');
    await kit.end(['gpu-001'], 'cache_hit');
    await kit.end(many(4), 'success');
    const { code, stdout, stderr } = await ending;
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      ...{ schema: 'haulier.rollout/v1', id, state: 'succeeded_with_failures', model: 'whisper@1', exitCode: 0 },
      counts: { targeted: 4, succeeded: 3, alreadyPresent: 1, failed: 1, timedOut: 0, skipped: 0 },
      threshold: { percent: 75, required: 3, met: true },
      errors: [{ reason: 'disk-full', count: 1, hosts: ['gpu-000'] }],
    });
    const lines = stderr.split('\n');
    expect(lines[0]).toBe(`rollout ${id}: whisper@1 (2 files, 2.00 kB) → 4 hosts matching gpu=true`);
    expect(lines[1]).toBe('threshold 75% = at least 3 hosts; fails after 2 failures; deadline 24h 00m');
    expect(stderr).toMatch(/^\d\d:\d\d:\d\d FAILED host gpu-000: disk-full — a.bin: no source could give it$/m);
    expect(stderr).toContain('SUCCEEDED WITH FAILURES: 3/4 (75%) ≥ 75% in ');
    expect(stderr).toContain('1 × disk-full (gpu-000)');
    const xml = await readFile(junit, 'utf8');
    expect(xml).toContain('tests="4" failures="1" skipped="0"');
    expect(xml).toContain('<testcase classname="host" name="gpu-000"><failure type="disk-full"');
    expect(await readFile(summary, 'utf8')).toContain('| disk-full | 1 | gpu-000 |');
  });

  it('ends with 1 when it failed, and a retry of the failed hosts brings it to its end', async () => {
    const ending = deployed();
    const id = await theRollout();
    await kit.end(['gpu-000'], 'failed');
    const failed = await ending;
    expect([failed.code, failed.message]).toEqual([1, `rollout ${id}: 1 host failed and at most 0 of 4 may`]);
    expect(failed.stderr).toContain(`retry just these: haulier rollout retry-failed ${id}`);
    expect((await run((context) => rolloutErrors(id, {}, context))).stdout).toMatch(/exhausted +1 +gpu-000/);
    await run((context) => rolloutRetry(id, {}, context));
    await kit.conduct();
    const waiting = run((context) => rolloutWait(id, options(), context));
    await kit.end(many(4), 'success');
    expect((await waiting).code).toBe(0);
    const status = await run((context) => rolloutStatus(id, {}, context));
    expect(status.stdout).toContain('SUCCEEDED: 4/4 (100%) ≥ 100%');
    expect((await run((context) => rolloutHosts(id, { state: 'done' }, context))).stdout).toMatch(/gpu-003 +all +done/);
    expect((await run((context) => rolloutList({}, context))).stdout).toMatch(/succeeded +whisper@1 +4\/4/);
  });

  it('ends early with --until threshold', async () => {
    const ending = deployed({ threshold: '50', until: 'threshold' });
    await theRollout();
    await kit.end(many(2), 'success');
    expect((await ending).code).toBe(0);
  });

  it('ends with 5 when another one cancelled it', async () => {
    const ending = deployed();
    const id = await theRollout();
    await run((context) => rolloutAct(id, 'cancel', {}, context));
    expect((await ending).code).toBe(5);
  });

  it('ends with 124 at its --timeout, with the id and the state in its document and its outputs, and the rollout goes on', async () => {
    const outputs = join(folder, 'outputs');
    const { code, stdout, message } = await deployed({ timeout: '2s', json: true, outputs });
    const id = await theRollout();
    expect(code).toBe(124);
    expect(JSON.parse(stdout)).toMatchObject({
      ...{ id, state: 'scheduled', exitCode: 124, message, model: 'whisper@1' },
      counts: { targeted: 4 },
    });
    expect(await readFile(outputs, 'utf8')).toContain('ROLLOUT_STATE=scheduled\n');
    expect(message).toContain(`haulier rollout wait ${id}`);
    expect((await kit.get(id)).state).toBe('running');
  });

  it('ends with 4 when no host matches, with the problem in its document', async () => {
    const { code, stdout } = await deployed({ hosts: 'zone=mars', json: true });
    expect([code, JSON.parse(stdout)]).toMatchObject([4, { code: 'no-hosts-matched', exitCode: 4 }]);
    expect((await run((context) => deploy('nobody@1', options(), context))).code).toBe(4);
  });

  it('ends with 2 for what it cannot read, and names the option', async () => {
    expect(await deployed({ threshold: '101%' })).toMatchObject({
      code: 2,
      message: expect.stringContaining('--threshold'),
    });
    expect(await deployed({ batch: 'x' })).toMatchObject({ code: 2, message: expect.stringContaining('--batch') });
    expect(await deployed({ hosts: 'a b' })).toMatchObject({ code: 2, message: expect.stringContaining('a b') });
  });

  it('N10 ends with 6 when the API stays away, and 3 without a token', async () => {
    const away = { HAULIER_URL: 'http://127.0.0.1:9' };
    expect(await deployed({ maxDisconnect: '1s' }, away)).toMatchObject({
      code: 6,
      stderr: expect.stringContaining('trying again'),
    });
    expect((await deployed({}, { HAULIER_TOKEN: '' })).code).toBe(3);
  });

  it('attaches to its first rollout when a step of a CI run is repeated', async () => {
    const ci = { GITHUB_RUN_ID: '1', GITHUB_RUN_ATTEMPT: '1', GITHUB_JOB: 'deploy', GITHUB_ACTION: 'step' };
    const first = await deployed({ wait: false }, ci);
    await theRollout();
    await kit.end(many(4), 'success');
    const again = await deployed({ wait: false }, ci);
    expect(again.stdout).toBe(first.stdout);
    expect((await deployed({ wait: false }, { ...ci, GITHUB_RUN_ATTEMPT: '2' })).stdout).not.toBe(first.stdout);
  });

  it('shows with --dry-run what would happen, and makes nothing', async () => {
    const { stdout } = await deployed({ dryRun: true, canary: '1', batch: '50%' });
    expect(stdout).toContain('whisper@1 → 4 hosts (0 offline): gpu-000, gpu-001, gpu-002, gpu-003');
    expect(stdout).toContain('waves: canary 1, wave-2 1, wave-3 2');
    expect((await kit.api.call('GET', '/api/rollouts')).json<RolloutList>().rollouts).toEqual([]);
  });

  it('tells how to wait again when it is interrupted, and the rollout goes on', async () => {
    const interrupted = new AbortController();
    const ending = run((context) => deploy('whisper@1', options({ wait: true }), context), {
      signal: interrupted.signal,
    });
    const id = await theRollout();
    interrupted.abort(new CliError(130, 'SIGINT'));
    expect((await ending).stderr).toContain(`haulier rollout wait ${id}`);
    expect((await kit.get(id)).state).toBe('running');
  });

  it('cancels the rollout when it is interrupted and was told to', async () => {
    const interrupted = new AbortController();
    const ending = run((context) => deploy('whisper@1', options({ wait: true, cancelOnInterrupt: true }), context), {
      signal: interrupted.signal,
    });
    const id = await theRollout();
    interrupted.abort(new CliError(130, 'SIGINT'));
    expect((await ending).stderr).toContain(`rollout ${id}: cancelled\n`);
    expect((await kit.get(id)).state).toBe('cancelled');
  });

  it('says of a rollout whose hosts a newer one took that no host is left, not that the threshold is met', async () => {
    const ending = deployed();
    const id = await theRollout();
    await kit.create({ models: ['whisper@2'] });
    const { code, stderr } = await ending;
    expect([code, stderr]).toEqual([5, expect.stringContaining('SUPERSEDED: no host is left in ')]);
    expect(stderr).toContain(`\n${kit.api.url}/rollouts/${id}\n`);
  });
});
