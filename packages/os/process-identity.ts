import { bootId, startTicks } from './process-start.ts';
import type { FileCalls } from './file-calls.ts';

/** Enough about a process to prove later that it is gone, and never to take another for it. */
export interface ProcessIdentity {
  /** Boot of the kernel and process namespace; empty where the system does not tell. */
  readonly place: string;
  readonly pid: number;
  /** Start time in ticks since boot: process numbers are used again. */
  readonly started: string;
}

/** Who we are. Outside Linux nothing can be proven later, and the heartbeat decides alone. */
export async function processIdentity(fs: FileCalls): Promise<ProcessIdentity> {
  const [place, started] = await Promise.all([readPlace(fs), startTicks(process.pid, fs).catch(() => undefined)]);
  return { place, pid: process.pid, started: started ?? '' };
}

/** True only when the process lived where we live and does not live any more. */
export async function provablyGone(fs: FileCalls, identity: ProcessIdentity): Promise<boolean> {
  const here = await readPlace(fs);
  if (here === '' || identity.place !== here || identity.started === '') return false;
  return startTicks(identity.pid, fs).then(
    (started) => started !== identity.started,
    () => false, // the system did not tell, which proves nothing
  );
}

async function readPlace(fs: FileCalls): Promise<string> {
  const boot = await bootId(fs);
  const namespace = await fs.stat('/proc/self/ns/pid').catch(() => undefined);
  return boot === '' || namespace === undefined ? '' : `${boot}/${namespace.ino}`;
}
