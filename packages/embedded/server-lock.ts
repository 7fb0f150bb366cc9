import { link, rename, rm, writeFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { codeOf } from '#core/error-facts';
import { StorageError } from '#core/failure';
import { type ProcessIdentity, identityOf, isAlive } from './process-identity.ts';
import { readIfPresent } from './read-if-present.ts';

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
  while (!(await create(path, { owner, server: null }))) await clearStale(path, what);
  return {
    async record(serverPid) {
      const server = (await identityOf(serverPid)) ?? null;
      await writeFile(`${path}.${process.pid}`, JSON.stringify({ owner, server }), { mode: 0o600 });
      await rename(`${path}.${process.pid}`, path);
    },
    release: () => rm(path, { force: true }),
  };
}

/** Creates the file with its whole content or not at all. @returns false when there is one already */
async function create(path: string, holder: Holder): Promise<boolean> {
  const draft = `${path}.${process.pid}`;
  await writeFile(draft, JSON.stringify(holder), { mode: 0o600 });
  try {
    await link(draft, path);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw StorageError.from(error, path);
  } finally {
    await rm(draft, { force: true });
  }
}

async function clearStale(path: string, what: string): Promise<void> {
  const text = await readIfPresent(path);
  if (text === undefined) return;
  const holder = JSON.parse(text) as Holder;
  if (await isAlive(holder.owner)) {
    throw new StorageError('busy', path, `${what} is in use by process ${holder.owner.pid}: stop that one first`);
  }
  if (holder.server) await stopOrphan(holder.server);
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
