import { rm } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { StorageError } from '#core/failure';
import { parseJson } from '#core/text/parse-json';
import { nodeFiles } from '#os/file-calls';
import { readIfPresent } from '#os/if-present';
import { processStart } from '#os/process-start';
import { createWhole, writeAtomically } from '#os/write-file';

/** A process that cannot be mistaken for a later one with the same number. */
interface ProcessIdentity {
  readonly pid: number;
  readonly startedAt: string;
}

interface Holder {
  readonly owner: ProcessIdentity;
  readonly server: ProcessIdentity | null;
}

export interface ServerLock {
  /** Names the server that works on the folder, so that the next start can stop it if we crash. */
  record(serverPid: number): Promise<void>;
  /** Safe twice. */
  release(): Promise<void>;
}

/**
 * Takes a data folder for this process. A server that a crashed owner left behind is stopped first, so two servers
 * never work on the same files.
 *
 * @param path the lock file
 * @param what for messages: whose folder it is
 * @throws StorageError `busy` when a live process owns the folder
 */
export async function takeServerLock(path: string, what: string): Promise<ServerLock> {
  const owner = await identityOf(process.pid);
  if (owner === undefined) throw new Error('cannot read the start time of this process');
  const holder: Holder = { owner, server: null };
  while (!(await createWhole(nodeFiles, path, JSON.stringify(holder)))) await clearStale(path, what);
  return {
    async record(serverPid) {
      const server = (await identityOf(serverPid)) ?? null;
      await writeAtomically(nodeFiles, path, JSON.stringify({ owner, server } satisfies Holder), 0o600);
    },
    release: () => rm(path, { force: true }),
  };
}

async function identityOf(pid: number): Promise<ProcessIdentity | undefined> {
  const startedAt = await processStart(pid);
  return startedAt === undefined ? undefined : { pid, startedAt };
}

const isAlive = async ({ pid, startedAt }: ProcessIdentity): Promise<boolean> =>
  (await processStart(pid)) === startedAt;

/** A damaged file belongs to nobody: a crash left it where a file cannot be made in one step. */
async function clearStale(path: string, what: string): Promise<void> {
  const text = await readIfPresent(path);
  if (text === undefined) return;
  const holder = parseJson(text) as Partial<Holder> | undefined;
  if (holder?.owner !== undefined && (await isAlive(holder.owner))) {
    throw new StorageError('busy', path, `${what} is in use by process ${holder.owner.pid}: stop that one first`);
  }
  if (holder?.server) await stopOrphan(holder.server);
  if ((await readIfPresent(path)) === text) await rm(path, { force: true });
}

/** Asks for a fast shutdown (SIGINT means that to both servers); kills after 15 s. */
async function stopOrphan(server: ProcessIdentity): Promise<void> {
  const deadline = Date.now() + 15_000;
  for (let asked = false; await isAlive(server); asked = true) {
    if (!asked) process.kill(server.pid, 'SIGINT');
    if (Date.now() > deadline) process.kill(server.pid, 'SIGKILL');
    await pause(50);
  }
}
