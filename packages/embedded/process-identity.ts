import { readFile } from 'node:fs/promises';
import { runCommand } from './command.ts';

/** A process that cannot be mistaken for a later one with the same number. */
export interface ProcessIdentity {
  readonly pid: number;
  /** When it began, in whatever form the system tells it; compared, never read. */
  readonly startedAt: string;
}

/** @returns the identity of a live process; undefined when there is none (a zombie counts as gone). */
export async function identityOf(pid: number): Promise<ProcessIdentity | undefined> {
  const startedAt = process.platform === 'linux' ? await linuxStart(pid) : await psStart(pid);
  return startedAt === undefined ? undefined : { pid, startedAt };
}

export async function isAlive(identity: ProcessIdentity): Promise<boolean> {
  return (await identityOf(identity.pid))?.startedAt === identity.startedAt;
}

/** A process that ends while we look is gone as well. proc(5): after the name in brackets, field 3 is the state and field 22 the start in ticks since boot. */
async function linuxStart(pid: number): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  if (stat === undefined) return undefined;
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (fields[0] === 'Z' || fields[0] === 'X') return undefined;
  const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '');
  return `${boot.trim()}/${fields[19]}`;
}

async function psStart(pid: number): Promise<string | undefined> {
  const line = await runCommand('ps', ['-o', 'lstart=', '-p', String(pid)]).catch(() => '');
  return line.trim() || undefined;
}
