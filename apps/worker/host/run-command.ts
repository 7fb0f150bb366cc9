import { spawn } from 'node:child_process';
import { messageOf } from '#core/error-facts';
import { replaceUnshowable } from '#core/text/unshowable';

/** A program that rollouts may run on this host. */
export interface HostCommand {
  /** Absolute path and arguments; no shell reads them. */
  readonly run: readonly [string, ...string[]];
  readonly timeoutMs: number;
}

/** `error` says why the command failed: its exit code or signal, the time limit, or that it could not be started. */
export type CommandEnd = { readonly error: string | undefined };

/** What the program said last; more is not kept. */
const KEPT_CHARS = 400;

/**
 * Runs a program to its end. At the time limit and at a stop the program and everything that it started are killed.
 *
 * @param env the whole environment of the program
 */
export async function runHostCommand(
  { run: [program, ...args], timeoutMs }: HostCommand,
  env: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<CommandEnd> {
  signal.throwIfAborted();
  // A group of its own, so that what it started ends with it.
  const child = spawn(program, args, { env, cwd: '/', detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  const keep = (chunk: Buffer): void => {
    said = (said + chunk.toString('utf8')).slice(-KEPT_CHARS);
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  let ended = '';
  const kill = (why: string): void => {
    ended ||= why;
    if (child.pid !== undefined) killGroup(child.pid);
  };
  const timer = setTimeout(() => kill(`ran longer than ${timeoutMs / 1000} s`), timeoutMs);
  const stop = (): void => kill('was stopped with the worker');
  signal.addEventListener('abort', stop, { once: true });
  try {
    const end = await new Promise<string>((resolve) => {
      child.once('error', (error) => resolve(`could not be started: ${messageOf(error)}`));
      // `exit`, not `close`: a process that it left running may hold its output open.
      child.once('exit', (code, by) => resolve(code === 0 ? '' : by === null ? `exit code ${code}` : `ended by ${by}`));
    });
    const error = ended || end;
    const last = replaceUnshowable(said.trim().split('\n').at(-1) ?? '', ' ');
    return { error: error === '' ? undefined : `${error}${last === '' ? '' : `: ${last}`}` };
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
    child.stdout.destroy();
    child.stderr.destroy();
  }
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended meanwhile; on Windows there are no groups, and only the program itself is ended.
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended.
    }
  }
}
