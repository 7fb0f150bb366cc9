import { createHash } from 'node:crypto';
import { hostname, uptime } from 'node:os';
import { SECOND_MS } from '#core/units';
import { bootId, startInThisBoot } from '../process-start.ts';
import type { FileCalls } from '../file-calls.ts';

/** Enough about a process to prove later that it is gone, and never to take another for it. */
export interface ProcessIdentity {
  /** Names the machine, whatever kernel runs on it; empty where the system does not tell. */
  readonly machine: string;
  /** Boot of the kernel and process namespace; empty where the system does not tell. */
  readonly place: string;
  readonly pid: number;
  /** When it began, as `startInThisBoot` tells: process numbers are used again. */
  readonly started: string;
}

/** What was found out completely, by the calls that told it: a process stays who it is, and a fetch of many files asks for each. */
const known = new WeakMap<FileCalls, ProcessIdentity>();

/** The identity of this process. Where the system tells nothing, nothing can be proven later, and the heartbeat decides alone. */
export async function processIdentity(fs: FileCalls): Promise<ProcessIdentity> {
  const found = known.get(fs) ?? (await lookUp(fs));
  if (found.machine !== '' && found.place !== '' && found.started !== '') known.set(fs, found);
  return found;
}

async function lookUp(fs: FileCalls): Promise<ProcessIdentity> {
  const [machine, place, started] = await Promise.all([
    readMachine(fs),
    readPlace(fs),
    startInThisBoot(process.pid, fs).catch(() => undefined),
  ]);
  return { machine, place, pid: process.pid, started: started ?? '' };
}

/** @returns the identity of another process of this system */
export async function processIdentityOf(fs: FileCalls, pid: number): Promise<ProcessIdentity> {
  const started = await startInThisBoot(pid, fs).catch(() => undefined);
  return { ...(await processIdentity(fs)), pid, started: started ?? '' };
}

/** True only when it is proven that the process runs now. */
export async function provablyAlive(fs: FileCalls, { place, pid, started }: ProcessIdentity): Promise<boolean> {
  if (place === '' || started === '' || place !== (await readPlace(fs))) return false;
  return (await startInThisBoot(pid, fs).catch(() => undefined)) === started;
}

/**
 * True only when it is proven: the process lived where we live and does not live any more, or its machine has restarted
 * since its last sign of life.
 *
 * @param aliveAtMs wall clock at its last sign of life; milliseconds since 1970
 */
export async function provablyGone(fs: FileCalls, identity: ProcessIdentity, aliveAtMs: number): Promise<boolean> {
  const here = await readPlace(fs);
  if (here === '' || identity.place === '') return false;
  if (bootOf(identity.place) !== bootOf(here)) return isOfEarlierBoot(fs, identity, aliveAtMs);
  if (identity.place !== here || identity.started === '') return false;
  return startInThisBoot(identity.pid, fs).then(
    (started) => started !== identity.started,
    () => false, // the system did not tell, which proves nothing
  );
}

/** Copies of one virtual machine may share its name, but then they beat now, and not before this kernel started. */
async function isOfEarlierBoot(fs: FileCalls, { machine }: ProcessIdentity, aliveAtMs: number): Promise<boolean> {
  const isHere = machine !== '' && machine === (await readMachine(fs));
  return isHere && aliveAtMs < Date.now() - uptime() * SECOND_MS;
}

const bootOf = (place: string): string => place.slice(0, place.indexOf('/'));

async function readPlace(fs: FileCalls): Promise<string> {
  const boot = await bootId(fs);
  if (boot === '' || process.platform !== 'linux') return boot && `${boot}/`;
  const namespace = await fs.stat('/proc/self/ns/pid').catch(() => undefined);
  return namespace === undefined ? '' : `${boot}/${namespace.ino}`;
}

/** Hashed, because others can read it and the number itself is meant to stay on its machine. @see machine-id(5) */
async function readMachine(fs: FileCalls): Promise<string> {
  const id = (await fs.readFile('/etc/machine-id', 'utf8').catch(() => '')).trim();
  if (!/^[0-9a-f]{32}$/.test(id)) return '';
  return createHash('sha256').update(`haulier ${id} ${hostname()}`).digest('hex').slice(0, 32);
}
