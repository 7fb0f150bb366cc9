import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { interopFolder } from './installed.ts';

const run = promisify(execFile);
const INSTALL_MS = 240_000;
const FOLDER = interopFolder('python-clients');

/** Clients of PyPI at some versions, in an environment of their own. */
export interface PythonClients {
  /** Why they cannot be had, or undefined. */
  readonly whyNot: string | undefined;
  /** Runs one call of `client.py`. @returns its answer */
  call(words: readonly string[], env: Readonly<Record<string, string>>): Promise<unknown>;
  /** Runs several calls in one process. @returns the answer to each */
  calls(calls: readonly (readonly string[])[], env: Readonly<Record<string, string>>): Promise<unknown[]>;
  /** Runs a program that came with them. @returns its output */
  program(name: string, words: readonly string[], env: Readonly<Record<string, string>>): Promise<string>;
}

/**
 * Installs what the file of requirements names, once for each content of that file.
 *
 * @param age name of the file without `.txt`
 * @param cacheDir where the environment is kept
 */
export async function pythonClients(age: 'oldest' | 'newest', cacheDir: string): Promise<PythonClients> {
  const home = join(cacheDir, 'python-clients', age);
  const bin = (name: string): string => join(home, 'bin', name);
  const start = async (program: string, words: readonly string[], env: Readonly<Record<string, string>>) =>
    (await run(bin(program), words, { env: { PATH: process.env['PATH'], HOME: home, ...QUIET, ...env } })).stdout;
  const calls: PythonClients['calls'] = async (given, env) => {
    const words = given.flatMap((call) => ['--', ...call]);
    const output = await start('python', [join(FOLDER, 'client.py'), ...words], env);
    // Libraries may print lines before.
    return output
      .trimEnd()
      .split('\n')
      .slice(-given.length)
      .map((line): unknown => JSON.parse(line));
  };
  return {
    whyNot: await installed(home, join(FOLDER, `${age}.txt`)),
    call: async (words, env) => (await calls([words], env))[0],
    calls,
    program: start,
  };
}

const QUIET = { HF_HUB_DISABLE_PROGRESS_BARS: '1', HF_HUB_DISABLE_TELEMETRY: '1', HF_HUB_DISABLE_UPDATE_CHECK: '1' };

/** @returns why it did not work, or undefined */
async function installed(home: string, requirements: string): Promise<string | undefined> {
  const done = join(home, 'installed');
  try {
    const wanted = await readFile(requirements, 'utf8');
    if ((await readFile(done, 'utf8').catch(() => undefined)) === wanted) return undefined;
    await run('python3', ['-m', 'venv', '--clear', home], { timeout: INSTALL_MS });
    const words = ['install', '--quiet', '--disable-pip-version-check', '--requirement', requirements];
    await run(join(home, 'bin', 'pip'), words, { timeout: INSTALL_MS });
    await writeFile(done, wanted);
    return undefined;
  } catch (error) {
    return `pip in a venv did not work: ${String(error).split('\n', 1)[0]}`;
  }
}
