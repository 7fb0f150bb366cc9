import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Measured } from '../measured.ts';
import { peakBytesOf, treeCpuMsOf } from '../process-facts.ts';
import type { Lab } from '../transfer/lab.ts';

export interface ServedProcess {
  readonly url: string;
  readonly pid: number;
  stop(): Promise<void>;
}

/** Starts `haulier serve` over a store, on a free port. @param env beside the usual */
export async function startServe(
  lab: Pick<Lab, 'cli'>,
  home: string,
  { args = [], env = {} }: { readonly args?: readonly string[]; readonly env?: NodeJS.ProcessEnv } = {},
): Promise<ServedProcess> {
  const child = spawn(process.execPath, [lab.cli, 'serve', '--port', '0', ...args], {
    env: { PATH: process.env['PATH'], HAULIER_HOME: home, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return { url: await urlOf(child), pid: child.pid!, stop: () => ended(child) };
}

/** Asks a program to end, and waits until it has. */
export async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.kill('SIGTERM');
  await exit;
}

/** Wall time of the client; CPU and memory of the server while it ran. */
export async function costOf(pid: number, client: () => Promise<Measured>): Promise<Measured> {
  const before = treeCpuMsOf(pid);
  const { wallMs } = await client();
  return { wallMs, cpuMs: treeCpuMsOf(pid) - before, peakBytes: peakBytesOf(pid) ?? Number.NaN };
}

/** @throws Error when it ends before it says where it serves */
async function urlOf(child: ChildProcess): Promise<string> {
  for await (const line of createInterface({ input: child.stdout! })) {
    const url = /HF_ENDPOINT=(\S+)/.exec(line)?.[1];
    if (url !== undefined) return url;
  }
  throw new Error('haulier serve ended before it served');
}
