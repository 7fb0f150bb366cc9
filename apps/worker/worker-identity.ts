import { randomUUID } from 'node:crypto';
import { link, mkdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { codeOf } from '#core/error-facts';
import { parseJson } from '#core/parse-json';
import { SECOND_MS } from '#core/units';

export interface HeldIdentity {
  /** The same after every restart in the same home; held by one live process at a time. */
  readonly workerId: string;
  /** New with every start. */
  readonly bootId: string;
  /** Lets a later process take the identity. Safe twice. */
  release(): Promise<void>;
}

/** One file per worker that ever ran at the same time in this home. */
const Slot = z.object({
  workerId: z.uuid(),
  /** 0 when nobody holds it. */
  pid: z.number().int().min(0),
  startedAt: z.string(),
  machine: z.string(),
});
type Slot = z.infer<typeof Slot>;

const MAX_SLOTS = 64;
const TOUCH_MS = 10 * SECOND_MS;
/** A holder on another machine (a shared folder, another container) is alive while its file is touched. */
const FOREIGN_ALIVE_MS = 3 * TOUCH_MS;

/**
 * Takes the first identity of this home that no live process holds. A restarted worker so becomes itself again and
 * may put back what its dead predecessor had taken; a second worker beside it gets an identity of its own.
 *
 * @param home made when absent
 */
export async function holdIdentity(home: string): Promise<HeldIdentity> {
  const folder = join(home, 'worker');
  await mkdir(folder, { recursive: true });
  const startedAt = await startOf(process.pid);
  for (let number = 0; number < MAX_SLOTS; number++) {
    const path = join(folder, `identity-${number}.json`);
    const workerId = await claim(path, startedAt);
    if (workerId !== undefined) return hold(path, workerId, startedAt);
  }
  throw new Error(`${MAX_SLOTS} workers already run in ${home}: give this one another HAULIER_HOME`);
}

function hold(path: string, workerId: string, startedAt: string): HeldIdentity {
  // Only another machine judges by the age, and it allows two to be missed.
  const touching = setInterval(() => void utimes(path, new Date(), new Date()).catch(() => undefined), TOUCH_MS);
  touching.unref();
  let released: Promise<void> | undefined;
  return {
    workerId,
    bootId: randomUUID(),
    release: () => {
      clearInterval(touching);
      released ??= writeFile(path, JSON.stringify({ workerId, pid: 0, startedAt, machine: hostname() } satisfies Slot));
      return released;
    },
  };
}

/** @returns the identity of the slot, which is ours from now on; undefined when somebody holds it */
async function claim(path: string, startedAt: string): Promise<string | undefined> {
  const before = await readText(path);
  if (before !== undefined && (await isHeld(path, parseSlot(before)))) return undefined;
  if (before !== undefined && !(await setAside(path, before))) return undefined;
  const workerId = parseSlot(before ?? '')?.workerId ?? randomUUID();
  const slot: Slot = { workerId, pid: process.pid, startedAt, machine: hostname() };
  return (await create(path, JSON.stringify(slot))) ? workerId : undefined;
}

/** Makes the file with its whole content or not at all. @returns false when there is one already */
async function create(path: string, text: string): Promise<boolean> {
  const draft = `${path}.${randomUUID()}`;
  await writeFile(draft, text, { mode: 0o600 });
  try {
    await link(draft, path);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  } finally {
    await rm(draft, { force: true });
  }
}

/** Of two processes that find the same dead holder, only one moves its file away. */
async function setAside(path: string, expected: string): Promise<boolean> {
  const aside = `${path}.${randomUUID()}`;
  try {
    await rename(path, aside);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false; // the other one was faster
    throw error;
  }
  if ((await readText(aside)) === expected) {
    await rm(aside, { force: true });
    return true;
  }
  await rename(aside, path);
  return false;
}

async function isHeld(path: string, slot: Slot | undefined): Promise<boolean> {
  if (slot === undefined || slot.pid === 0) return false;
  if (slot.machine !== hostname()) return Date.now() - (await stat(path)).mtimeMs < FOREIGN_ALIVE_MS;
  if (slot.pid === process.pid) return slot.startedAt === (await startOf(process.pid));
  return isRunning(slot.pid) && slot.startedAt === (await startOf(slot.pid));
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
}

/** When a process began (proc(5), field 22, with the boot), so that a reused number is not mistaken; '' off Linux. */
async function startOf(pid: number): Promise<string> {
  const text = await readText(`/proc/${pid}/stat`);
  if (text === undefined) return '';
  const boot = (await readText('/proc/sys/kernel/random/boot_id')) ?? '';
  return `${boot.trim()}/${text.slice(text.lastIndexOf(')') + 2).split(' ')[19]}`;
}

const readText = (path: string): Promise<string | undefined> => readFile(path, 'utf8').catch(() => undefined);

/** @returns undefined for a half-written file: nobody holds it */
const parseSlot = (text: string): Slot | undefined => Slot.safeParse(parseJson(text)).data;
