import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { describe, expect, it } from '@jest/globals';
import { SHELLS, completionScript, type Shell } from '../../../../apps/cli/access/completion-scripts.ts';
import { createProgram } from '../../../../apps/cli/program.ts';
import { runCommand } from '../../../helpers/command.ts';

const scriptOf = async (shell: string) =>
  runCommand(async (context) => {
    await createProgram(context).parseAsync(['node', 'haulier', 'completion', shell]);
  });

const has = (program: string): boolean => spawnSync(program, ['--version'], { stdio: 'ignore' }).error === undefined;

/** @returns what the shell offers for a command line that ends where it is completed */
type Completing = (script: string, line: string) => string[];

const inBash: Completing = (script, line) => {
  const words = line.split(' ');
  const ask = `${script}
COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}; _haulier; printf '%s\\n' "\${COMPREPLY[@]}"`;
  return execFileSync('bash', ['--norc', '-c', ask], { encoding: 'utf8' }).split('\n').filter(Boolean);
};

/** With the script as a file, in a folder of its own. */
function withFile<T>(script: string, work: (file: string, folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'haulier-completion-'));
  try {
    const file = join(folder, 'script');
    writeFileSync(file, script);
    return work(file, folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Reads the script, runs nothing. */
const checked = (shell: string, script: string) =>
  withFile(script, (file) => {
    const { status, stderr } = spawnSync(shell, ['-n', file], { encoding: 'utf8' });
    return { status, stderr };
  });

const inFish: Completing = (script, line) =>
  withFile(script, (file, folder) => {
    const ask = `source ${file}; complete -C '${line}'`;
    const said = execFileSync('fish', ['--no-config', '-c', ask], {
      encoding: 'utf8',
      env: { ...process.env, HOME: folder },
    });
    return said
      .split('\n')
      .filter(Boolean)
      .map((offered) => offered.split('\t')[0]!);
  });

describe('haulier completion', () => {
  it.each([
    ['bash', inBash],
    ['fish', inFish],
  ] as const)('completes commands, options and choices in a real %s, where there is one', async (shell, complete) => {
    if (!has(shell)) return console.warn(`skipped: this machine has no ${shell}`);
    const { stdout: script } = await scriptOf(shell);
    expect(complete(script, 'haulier roll')).toEqual(['rollout']);
    expect(complete(script, 'haulier model a')).toEqual(['add']);
    expect(complete(script, 'haulier token create x --adm')).toEqual(['--admin']);
    expect(complete(script, 'haulier model add x --repo-type d')).toEqual(['dataset']);
    expect(complete(script, 'haulier download pause --mod')).toEqual(['--model']);
  });

  it.each([['bash'], ['zsh'], ['fish']])('makes a script that %s can read, where there is one', async (shell) => {
    const { stdout: script, code } = await scriptOf(shell);
    expect([code, script]).toEqual([0, expect.stringContaining(`${shell} completion of haulier`)]);
    if (!has(shell)) return console.warn(`skipped: this machine has no ${shell}`);
    expect(checked(shell, script)).toEqual({ status: 0, stderr: '' });
  });

  it('quotes whatever a description holds', () => {
    const program = new Command('odd');
    program.command('one').description(`it's $(touch /never) "quoted" \`x\``);
    program.addOption(new Option('--two <x>', `it's: $HOME`).choices(['a', 'b']));
    for (const shell of SHELLS) {
      const script = completionScript(program, shell as Shell);
      if (shell !== 'bash') expect(script).toContain(`it'\\''s`);
      if (has(shell)) expect(checked(shell, script)).toEqual({ status: 0, stderr: '' });
    }
  });

  it('refuses another shell by name', async () => {
    const { code, stderr } = await scriptOf('tcsh');
    expect([code, stderr]).toEqual([2, expect.stringContaining('bash, zsh, fish')]);
  });
});
