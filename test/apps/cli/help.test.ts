import { Readable, Writable } from 'node:stream';
import { describe, expect, it } from '@jest/globals';
import type { Command } from 'commander';
import type { CliError } from '../../../apps/cli/exit-code.ts';
import { EXIT } from '../../../apps/cli/exit-code.ts';
import { createProgram } from '../../../apps/cli/program.ts';

/** Runs a command line that needs nothing but its words. */
async function run(...words: string[]) {
  const said = { stdout: '', stderr: '' };
  const into = (name: 'stdout' | 'stderr') =>
    new Writable({ write: (chunk, _encoding, done) => done(void (said[name] += String(chunk))) });
  const signal = new AbortController().signal;
  const context = {
    env: {},
    stdout: into('stdout'),
    stderr: into('stderr'),
    distDir: '/none',
    signal,
    stdin: Readable.from([]),
  };
  const ended = await createProgram(context)
    .parseAsync(['node', 'haulier', ...words])
    .then(
      () => ({ exitCode: EXIT.done, message: '' }),
      (error: CliError) => ({ exitCode: error.exitCode, message: error.message }),
    );
  return { ...said, ...ended };
}

const program = createProgram({
  ...{ env: {}, stdout: process.stdout, stderr: process.stderr, distDir: '/none', stdin: process.stdin },
  signal: new AbortController().signal,
});
const everyCommand = (command: Command, path: string[] = []): { command: Command; path: string[] }[] =>
  command.commands.flatMap((one) => {
    const here = [...path, one.name()];
    return [{ command: one, path: here }, ...everyCommand(one, here)];
  });
const COMMANDS = everyCommand(program).filter(({ path }) => path.at(-1) !== 'help');

describe('the help of haulier', () => {
  it.each([
    ['help', 'model', 'add'],
    ['model', 'help', 'add'],
    ['model', 'add', '--help'],
    ['model', 'add', '-h'],
  ])('shows the options of a command of a command: %s %s %s', async (...words) => {
    const { stdout, exitCode } = await run(...words);
    expect(stdout).toContain('Usage: haulier model add');
    expect(stdout).toContain('--repo-type');
    expect(exitCode).toBe(0);
  });

  it.each([[['help']], [['--help']]])('lists all commands: %j', async (words) => {
    const { stdout, exitCode } = await run(...words);
    for (const name of ['fetch', 'download', 'model', 'bundle', 'worker', 'up', 'demo', 'status', 'help'])
      expect(stdout).toContain(`\n  ${name}`);
    expect(exitCode).toBe(0);
  });

  it.each(COMMANDS.map(({ path }) => [path.join(' '), path] as const))(
    'describes %s, each of its options, and its exit codes',
    async (_name, path) => {
      const { command } = COMMANDS.find((one) => one.path === path)!;
      expect(command.description()).not.toBe('');
      for (const option of command.options)
        expect([option.flags, option.description]).toEqual([option.flags, expect.stringMatching(/./)]);
      const { stdout } = await run('help', ...path);
      expect(stdout).toMatch(/Exit codes:\n {2}0 +done\n {2}1 +it failed/);
      expect(stdout).toContain('docs/guide/configuration.md');
    },
  );

  it('names the command that is most likely meant, with exit code 2', async () => {
    expect(await run('help', 'modle')).toMatchObject({
      exitCode: 2,
      message: 'unknown command "modle": did you mean model?',
    });
    expect(await run('help', 'model', 'ad')).toMatchObject({
      exitCode: 2,
      message: expect.stringContaining('did you mean add?'),
    });
    expect(await run('help', 'zzzzzz')).toMatchObject({
      exitCode: 2,
      message: expect.stringContaining('one of up, demo'),
    });
    expect(await run('fecth', 'x')).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('Did you mean fetch?'),
    });
    expect(await run('model', 'lst')).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('Did you mean list?'),
    });
    expect(await run('fetch', 'x', '--sha265', 'y')).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('--sha256'),
    });
  });
});
