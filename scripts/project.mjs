import { clearInterval, setInterval } from 'node:timers';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
export const CACHE = join(ROOT, '.cache');

const ENDINGS = ['SIGINT', 'SIGTERM', 'SIGHUP'];

export function at(...parts) {
  return join(ROOT, ...parts);
}

/** One line of progress. On standard error: standard output belongs to the command's own answer. */
export function say(line) {
  process.stderr.write(`haulier: ${line}\n`);
}

/** Runs one step and shows it: a line at its start, another every 30 s. */
export async function step(title, work) {
  const startedAt = Date.now();
  const seconds = () => Math.round((Date.now() - startedAt) / 1000);
  say(`${title} ...`);
  const ticker = setInterval(() => say(`${title}: ${seconds()} s`), 30_000);
  try {
    return await work();
  } finally {
    clearInterval(ticker);
  }
}

/**
 * Runs a program in the project's folder. Whatever ends us ends it too, at once: a half-done step is done again by the
 * next start.
 *
 * @returns what it wrote
 * @throws Error with the first lines that say why when it fails: compilers and npm both put the cause first; its `output` is all
 *   that was written
 */
export function run(file, args, env = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      cwd: ROOT,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    const release = endWithUs(child);
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text) => (output += text));
    child.on('error', (error) => {
      release();
      reject(error);
    });
    child.on('close', (code, signal) => {
      release();
      if (code === 0) resolve(output);
      else reject(failure([file, ...args].join(' '), signal ?? `code ${code}`, output));
    });
  });
}

const failure = (command, end, output) =>
  Object.assign(new Error(`${command} ended with ${end}\n${excerpt(output)}`), { output });

/** The child leads a process group: a Ctrl-C reaches us alone, and we end the child with all that it started. */
function endWithUs(child) {
  const end = (signal) => {
    release();
    if (child.pid !== undefined) killGroup(child.pid);
    process.kill(process.pid, signal);
  };
  const release = () => ENDINGS.forEach((signal) => process.off(signal, end));
  for (const signal of ENDINGS) process.on(signal, end);
  return release;
}

function killGroup(pid) {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}

function excerpt(output) {
  const lines = output.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('npm warn'));
  return lines.slice(0, 30).join('\n') + (lines.length > 30 ? `\n(${lines.length - 30} more lines)` : '');
}

/** Every file at or below the paths (relative to the project), sorted; absent paths are skipped. */
export function filesBelow(paths) {
  const found = [];
  for (const path of paths) {
    if (!existsSync(at(path))) continue;
    const entries = readEntries(path);
    if (entries === undefined) found.push(path);
    else found.push(...filesBelow(entries.map((name) => `${path}/${name}`)));
  }
  return found.sort();
}

function readEntries(path) {
  try {
    return readdirSync(at(path)).filter((name) => name !== 'generated' && name !== 'node_modules');
  } catch (error) {
    if (error.code === 'ENOTDIR') return undefined;
    throw error;
  }
}

/** One digest over the names and contents of files. */
export function digestOf(files) {
  const hash = createHash('sha256');
  for (const file of files)
    hash
      .update(`${file}\0`)
      .update(readFileSync(at(file)))
      .update('\0');
  return hash.digest('hex');
}

export function readText(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT') return '';
    throw error;
  }
}
