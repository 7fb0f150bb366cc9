import { randomUUID } from 'node:crypto';
import { mkdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { codeOf } from '#core/error-facts';
import { parseJson } from '#core/text/parse-json';
import { SECOND_MS } from '#core/units';
import { nodeFiles } from '#os/file-calls';
import { readIfPresent } from '#os/if-present';
import { isProcessRunning, processStart } from '#os/process-start';
import { createWhole, writeAtomically } from '#os/write-file';

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
  /** 0 while the identity is free. */
  pid: z.number().int().min(0),
  /** Empty where the system does not tell. */
  startedAt: z.string(),
  machine: z.string(),
});
type Slot = z.infer<typeof Slot>;

type StartOf = (pid: number) => Promise<string | undefined>;

/** Tells the claims of this process from those of an earlier process with its number, where the system has no start times. */
const heldHere = new Set<string>();

const MAX_SLOTS = 64;
const TOUCH_MS = 10 * SECOND_MS;
/** A holder on another machine (a shared folder, another container) is alive while its file is touched. */
const FOREIGN_ALIVE_MS = 3 * TOUCH_MS;

/**
 * Takes the first identity of this home that no live process holds. A restarted worker so becomes itself again and
 * may put back the jobs of the process that died; a second worker beside it gets an identity of its own.
 *
 * @param home made when absent
 * @param startOf tells when a process began; undefined where there is none, or where the system does not tell
 * @throws StorageError when an identity cannot be read: taking another one would orphan what this one had taken
 */
export async function holdIdentity(home: string, startOf: StartOf = processStart): Promise<HeldIdentity> {
  const folder = join(home, 'worker');
  await mkdir(folder, { recursive: true });
  const startedAt = (await startOf(process.pid)) ?? '';
  for (let number = 0; number < MAX_SLOTS; number++) {
    const path = join(folder, `identity-${number}.json`);
    const workerId = await claim(path, startedAt, startOf);
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
      heldHere.delete(path);
      released ??= writeSlot(path, { workerId, pid: 0, startedAt, machine: hostname() });
      return released;
    },
  };
}

/** @returns the identity of the slot, held by this process from now on; undefined while a live process holds it */
async function claim(path: string, startedAt: string, startOf: StartOf): Promise<string | undefined> {
  const before = await readIfPresent(path);
  if (before !== undefined && (await isHeld(path, parseSlot(before), startOf))) return undefined;
  if (before !== undefined && !(await setAside(path, before))) return undefined;
  const workerId = parseSlot(before ?? '')?.workerId ?? randomUUID();
  const slot: Slot = { workerId, pid: process.pid, startedAt, machine: hostname() };
  if (!(await createWhole(nodeFiles, path, JSON.stringify(slot)))) return undefined;
  heldHere.add(path);
  return workerId;
}

const writeSlot = (path: string, slot: Slot): Promise<void> =>
  writeAtomically(nodeFiles, path, JSON.stringify(slot), 0o600);

/** Of two processes that find the same dead holder, only one moves its file away. */
async function setAside(path: string, expected: string): Promise<boolean> {
  const aside = `${path}.${randomUUID()}`;
  try {
    await rename(path, aside);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false; // the other one was faster
    throw error;
  }
  if ((await readIfPresent(aside)) === expected) {
    await rm(aside, { force: true });
    return true;
  }
  await rename(aside, path);
  return false;
}

async function isHeld(path: string, slot: Slot | undefined, startOf: StartOf): Promise<boolean> {
  if (slot === undefined || slot.pid === 0) return false;
  if (slot.machine !== hostname()) return Date.now() - (await stat(path)).mtimeMs < FOREIGN_ALIVE_MS;
  if (slot.startedAt !== '') return slot.startedAt === (await startOf(slot.pid));
  return slot.pid === process.pid ? heldHere.has(path) : isProcessRunning(slot.pid);
}

/** @returns undefined for a half-written file, which counts as free */
const parseSlot = (text: string): Slot | undefined => Slot.safeParse(parseJson(text)).data;
