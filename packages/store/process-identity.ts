import { ifPresent, type StoreFs } from './store-fs.ts';

/** Enough about a process to prove later that it is gone, and never to take another for it. */
export interface ProcessIdentity {
  /** Boot of the kernel and process namespace; empty where the system does not tell. */
  readonly place: string;
  readonly pid: number;
  /** Start time in ticks since boot: process numbers are used again. */
  readonly started: string;
}

/** Who we are. Outside Linux nothing can be proven later, and the heartbeat decides alone. */
export async function processIdentity(fs: StoreFs): Promise<ProcessIdentity> {
  const [place, started] = await Promise.all([readPlace(fs), startTicks(fs, process.pid)]);
  return { place, pid: process.pid, started: started ?? '' };
}

/** True only when the process lived where we live and does not live any more. */
export async function provablyGone(fs: StoreFs, identity: ProcessIdentity): Promise<boolean> {
  const here = await readPlace(fs);
  if (here === '' || identity.place !== here || identity.started === '') return false;
  return (await startTicks(fs, identity.pid)) !== identity.started;
}

async function readPlace(fs: StoreFs): Promise<string> {
  try {
    const boot = (await fs.readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
    const namespace = await fs.stat('/proc/self/ns/pid');
    return `${boot}/${namespace.ino}`;
  } catch {
    return '';
  }
}

/** Field 22 of /proc/<pid>/stat; the name in field 2 may hold spaces and brackets, so it is cut off first. */
async function startTicks(fs: StoreFs, pid: number): Promise<string | undefined> {
  if (!Number.isInteger(pid) || pid <= 0) return undefined;
  const stat = await ifPresent(fs.readFile(`/proc/${pid}/stat`, 'utf8')).catch(() => undefined);
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
  /** A zombie still has an entry, but writes no more. */
  return fields === undefined || fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
}
