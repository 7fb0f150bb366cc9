import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { parse, parseAllDocuments } from 'yaml';
import { until } from '../helpers/until.ts';
import { many, startRollouts, type RolloutKit } from '../apps/api/rollouts/rollout-kit.ts';

const at = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

const ACTION = at('integrations/github/action.yml');
const SCRIPT = at('integrations/github/deploy.sh');
const TEMPLATE = at('integrations/gitlab/deploy.yml');

interface Action {
  readonly inputs: Record<string, { required?: boolean }>;
  readonly outputs: Record<string, { value: string }>;
  readonly runs: { steps: { id: string; run: string; env: Record<string, string> }[] };
}

interface Job {
  readonly image: { name: string };
  readonly variables: Record<string, string>;
  readonly script: string[];
  readonly artifacts: { when: string; reports: { junit: string; dotenv: string } };
}

const hasBash = spawnSync('bash', ['-c', 'true']).status === 0;
const withBash = hasBash ? it : it.skip;
if (!hasBash) console.warn('bash is missing: the entry scripts of the pipelines are not run');

let kit: RolloutKit;
let folder: string;
beforeEach(async () => {
  kit = await startRollouts();
  await kit.report(many(4));
  folder = await mkdtemp(join(tmpdir(), 'haulier-pipeline-'));
  const bin = join(folder, 'bin', 'haulier');
  await mkdir(join(folder, 'bin'));
  await writeFile(bin, `#!/bin/sh\nexec "${process.execPath}" "${at('dist/bundles/cli/main.js')}" "$@"\n`);
  await chmod(bin, 0o755);
});
afterEach(async () => {
  await kit.stop();
  await rm(folder, { recursive: true, force: true });
});

interface Ended {
  readonly code: number | null;
  readonly stderr: string;
}

/** Runs a step to its end; meanwhile the conductor works, and the workers of hosts that were given work end it. */
async function run(
  command: readonly string[],
  env: Readonly<Record<string, string>>,
  hosts: { readonly failed?: readonly string[] } = {},
): Promise<Ended> {
  const path = `${join(folder, 'bin')}${delimiter}${process.env['PATH']}`;
  const options = { HAULIER_URL: kit.api.url, HAULIER_TOKEN: kit.api.tokens.write, CI: 'true', PATH: path, ...env };
  const child = spawn(command[0]!, command.slice(1), { cwd: folder, env: options, stdio: ['ignore', 'pipe', 'pipe'] });
  const said = Promise.all([text(child.stdout), text(child.stderr)]);
  let ended: number | null | undefined;
  const closed = new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      ended = code;
      resolve();
    });
  });
  const failed = hosts.failed ?? [];
  const right = many(4).filter((host) => !failed.includes(host));
  const work = async (): Promise<boolean> => {
    await kit.conduct();
    await kit.end(failed, 'failed', 'disk_full');
    await kit.end(right, 'success');
    return ended !== undefined;
  };
  await Promise.all([closed, until(work, { what: 'the step ends' })]);
  return { code: ended!, stderr: (await said)[1] };
}

const valuesIn = async (name: string): Promise<Record<string, string>> =>
  Object.fromEntries(
    (await readFile(join(folder, name), 'utf8'))
      .trim()
      .split('\n')
      .map((line) => line.split('=', 2) as [string, string]),
  );

describe('the action for GitHub', () => {
  const GITHUB = {
    GITHUB_ACTIONS: 'true',
    GITHUB_RUN_ID: '7',
    GITHUB_RUN_ATTEMPT: '1',
    GITHUB_JOB: 'j',
    GITHUB_ACTION: 'd',
  };
  const step = (env: Record<string, string> = {}, hosts = {}): Promise<Ended> => {
    const files = { GITHUB_OUTPUT: join(folder, 'output'), GITHUB_STEP_SUMMARY: join(folder, 'summary.md') };
    const inputs = { DEPLOY_MODEL: 'whisper@1', DEPLOY_HOSTS: 'gpu=true', DEPLOY_THRESHOLD: '', DEPLOY_CLI: '' };
    return run(['bash', SCRIPT], { ...GITHUB, ...files, ...inputs, ...env }, hosts);
  };

  withBash('ends with the verdict, its outputs, a summary, and an annotation for each reason', async () => {
    const { code, stderr } = await step({ DEPLOY_THRESHOLD: '75%' }, { failed: ['gpu-003'] });
    expect([code, stderr]).toEqual([0, expect.stringMatching(/^::warning title=whisper@1%3A 1 × disk_full::gpu-003/m)]);
    const outputs = await valuesIn('output');
    expect(outputs).toEqual({
      ROLLOUT_ID: expect.stringMatching(/^[0-9a-f-]{36}$/),
      ROLLOUT_STATE: 'succeeded_with_failures',
      ROLLOUT_URL: `${kit.api.url}/rollouts/${outputs['ROLLOUT_ID']}`,
    });
    expect(await readFile(join(folder, 'summary.md'), 'utf8')).toMatch(/^### whisper@1: succeeded with failures/);
  });

  withBash('fails the step when too few hosts succeed, and a repeat of the step finds its rollout', async () => {
    const first = await step({}, { failed: ['gpu-003'] });
    expect([first.code, first.stderr]).toEqual([1, expect.stringMatching(/^::error title=/m)]);
    const { ROLLOUT_ID: id } = await valuesIn('output');
    expect((await step()).code).toBe(1);
    expect((await valuesIn('output'))['ROLLOUT_ID']).toBe(id);
    expect((await step({ GITHUB_RUN_ATTEMPT: '2' })).code).toBe(0);
    expect((await valuesIn('output'))['ROLLOUT_ID']).not.toBe(id);
  });

  withBash('runs nothing that an input says, and names the input that is missing', async () => {
    const hostile = await step({ DEPLOY_MODEL: '--help', DEPLOY_HOSTS: '$(touch hacked); `touch hacked`' });
    expect([hostile.code, existsSync(join(folder, 'hacked'))]).toEqual([2, false]);
    const missing = await step({ DEPLOY_HOSTS: '' });
    expect([missing.code, missing.stderr]).toEqual([1, expect.stringContaining('the input hosts is empty')]);
  });

  it('gives every input to its script, and every output is one that the script writes', async () => {
    const action = parse(await readFile(ACTION, 'utf8')) as Action;
    const script = await readFile(SCRIPT, 'utf8');
    const { env, run: command } = action.runs.steps[0]!;
    const given = Object.values(env).map((value) => /^\$\{\{ inputs\.([\w-]+) \}\}$/.exec(value)?.[1]);
    expect([...given].sort()).toEqual(Object.keys(action.inputs).sort());
    for (const name of Object.keys(env).filter((one) => one.startsWith('DEPLOY_'))) expect(script).toContain(name);
    expect(command).not.toContain('${{');
    const written = ['ROLLOUT_ID', 'ROLLOUT_STATE', 'ROLLOUT_URL'].map((one) => `\${{ steps.deploy.outputs.${one} }}`);
    expect(Object.values(action.outputs).map(({ value }) => value)).toEqual(written);
  });
});

/** The job as GitLab makes it of the template: each `$[[ inputs.name ]]` is replaced. */
async function jobOf(inputs: Readonly<Record<string, string>>): Promise<Job> {
  const source = await readFile(TEMPLATE, 'utf8');
  const [header] = parseAllDocuments(source);
  const { spec } = header!.toJS() as {
    spec: { inputs: Record<string, { default?: string; options?: string[] } | null> };
  };
  const filled = source
    .slice(source.indexOf('\n---\n'))
    .replace(/\$\[\[ inputs\.([\w-]+) \]\]/g, (_all, name: string) => {
      const input = spec.inputs[name];
      const value = inputs[name] ?? input?.default;
      if (value === undefined) throw new Error(`the input ${name} is required`);
      return JSON.stringify(value);
    });
  const job = Object.values(parse(filled.replace(/^"([\w-]+)":$/m, '$1:')) as Record<string, Job>)[0]!;
  return job;
}

describe('the template for GitLab', () => {
  const runJob = async (
    inputs: Record<string, string>,
    hosts = {},
    env: Record<string, string> = {},
  ): Promise<Ended & { job: Job }> => {
    const job = await jobOf({ model: 'whisper@1', hosts: 'gpu=true', ...inputs });
    const variables = { ...job.variables, CI_PIPELINE_ID: '9', CI_JOB_NAME: 'deploy', ...env };
    const ended = await run(['sh', '-e', '-c', job.script.join('\n')], variables, hosts);
    return { ...ended, job };
  };

  withBash('ends with the verdict, and its reports are where the job says', async () => {
    const { code, job, stderr } = await runJob({ threshold: '75%', batch: '50%' }, { failed: ['gpu-003'] });
    expect([code, stderr]).toEqual([0, expect.stringContaining('SUCCEEDED WITH FAILURES: 3/4')]);
    const { junit, dotenv } = job.artifacts.reports;
    expect(await readFile(join(folder, junit), 'utf8')).toContain('<testcase classname="host" name="gpu-003"><failure');
    expect(await valuesIn(dotenv)).toMatchObject({ ROLLOUT_STATE: 'succeeded_with_failures' });
    expect(job.artifacts.when).toBe('always');
  });

  withBash('fails the job when too few hosts succeed; the repeated job finds its rollout', async () => {
    expect((await runJob({}, { failed: ['gpu-000'] })).code).toBe(1);
    const { ROLLOUT_ID: id } = await valuesIn('haulier-rollout.env');
    expect((await runJob({})).code).toBe(1);
    expect((await valuesIn('haulier-rollout.env'))['ROLLOUT_ID']).toBe(id);
  });

  withBash('runs nothing that an input says', async () => {
    const { code } = await runJob({ model: '-x $(touch hacked)', hosts: '"; touch hacked; "' });
    expect([code, existsSync(join(folder, 'hacked'))]).toEqual([2, false]);
  });
});
