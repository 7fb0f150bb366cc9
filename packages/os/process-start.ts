import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { codeOf } from '#core/error-facts';
import { nodeFiles, type FileCalls } from './file-calls.ts';
import { ifPresent } from './if-present.ts';

/**
 * When a process began, in whatever form the system tells it: compared, never read. With its number it names the process for
 * good, because numbers are used again.
 *
 * @returns undefined when there is no such process (a zombie counts as gone), or where the system has no way to tell
 */
export async function processStart(pid: number): Promise<string | undefined> {
  if (process.platform !== 'linux') return psStart(pid).catch(() => undefined);
  const ticks = await startTicks(pid);
  return ticks === undefined ? undefined : `${await bootId()}/${ticks}`;
}

/** @returns the name of this run of the kernel; '' where the system does not tell */
export async function bootId(fs: FileCalls = nodeFiles): Promise<string> {
  if (process.platform === 'darwin') return outputOf('sysctl', ['-n', 'kern.bootsessionuuid']).catch(() => '');
  return (await fs.readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '')).trim();
}

/** Whether a process of this number exists, also one of another user, also a zombie. Every system tells that. */
export function isProcessRunning(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
}

/**
 * The part of `processStart` that is told apart within one run of the kernel.
 *
 * @returns undefined when there is no such process (a zombie counts as gone)
 * @throws Error when the system does not tell, as under `hidepid`, where the processes of others have no entry
 */
export async function startInThisBoot(pid: number, fs: FileCalls): Promise<string | undefined> {
  if (process.platform !== 'linux') return psStart(pid);
  const ticks = await startTicks(pid, fs);
  if (ticks === undefined && isProcessRunning(pid) && (await ifPresent(fs.stat(`/proc/${pid}`))) === undefined)
    throw new Error(`process ${pid} is hidden from us`);
  return ticks;
}

/**
 * Start of a process in ticks since boot.
 *
 * @returns undefined when there is no such process, and everywhere but on Linux
 * @throws Error when the system would know but does not tell, as without a free descriptor
 * @see proc(5): after the name in brackets, which may hold spaces and brackets, field 3 is the state and field 22 the start
 */
export async function startTicks(pid: number, fs: FileCalls = nodeFiles): Promise<string | undefined> {
  if (!Number.isInteger(pid) || pid <= 0) return undefined;
  const stat = await fs.readFile(`/proc/${pid}/stat`, 'utf8').catch(unlessGone);
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
  // A zombie still has an entry, but does nothing more.
  return fields === undefined || fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
}

/** ESRCH: it ended between the opening and the reading. */
function unlessGone(error: unknown): undefined {
  if (codeOf(error) !== 'ENOENT' && codeOf(error) !== 'ESRCH') throw error;
}

/** `ps` ends with 1 when there is no such process. @throws Error where there is no `ps`, or when it cannot run now */
async function psStart(pid: number): Promise<string | undefined> {
  try {
    return (await outputOf('ps', ['-o', 'lstart=', '-p', String(pid)])) || undefined;
  } catch (error) {
    if ((error as { readonly code?: unknown }).code === 1) return undefined;
    throw error;
  }
}

async function outputOf(program: string, args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(program, args);
  return stdout.trim();
}
