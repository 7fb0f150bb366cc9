import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { FleetCommand, FleetOrder } from './fleet-order.ts';

const SCRIPT = fileURLToPath(new URL('./idle-workers.js', import.meta.url));
/** One process holds the connections of so many workers. */
const HOSTS_PER_PROCESS = 2500;

/** Idle workers of a fleet. */
export interface IdleFleet {
  tell(command: FleetCommand): void;
  stop(): Promise<void>;
}

/** Resolves when all workers wait for jobs. */
export async function startIdleFleet(
  { hosts, ...order }: FleetOrder,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<IdleFleet> {
  const children: ChildProcess[] = [];
  const fleet: IdleFleet = {
    tell: (command) => {
      for (const child of children) child.send(command);
    },
    stop: async () => {
      await Promise.all(children.map((child) => ended(child)));
    },
  };
  try {
    for (let from = 0; from < hosts.length; from += HOSTS_PER_PROCESS) {
      signal.throwIfAborted();
      const some = hosts.slice(from, from + HOSTS_PER_PROCESS);
      const child = fork(SCRIPT, [JSON.stringify({ ...order, hosts: some })], {
        env: { PATH: process.env['PATH'] },
        execArgv: ['--enable-source-maps'],
      });
      children.push(child);
      const failed = once(child, 'exit').then(([code]) => {
        throw new Error(`a process of idle workers ended with ${String(code)}`);
      });
      await Promise.race([once(child, 'message', { signal }), failed]);
      failed.catch(() => undefined);
      say(`  ${from + some.length} of ${hosts.length} workers wait for jobs`);
    }
    return fleet;
  } catch (error) {
    await fleet.stop();
    throw error;
  }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  await once(child, 'exit');
}
