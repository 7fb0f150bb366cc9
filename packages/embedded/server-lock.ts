import { codeOf } from '#core/error-facts';
import { StorageError } from '#core/failure';
import { parseJson } from '#core/text/parse-json';
import { systemClock } from '#os/clock';
import { nodeFiles } from '#os/file-calls';
import type { Lease, LeaseParts } from '#os/lease/held-lease';
import { LEASE_TTL_MS, tryLease, type Observation, type TakenLease } from '#os/lease/lease-file';
import { processIn } from '#os/lease/lease-record';
import { processIdentityOf, provablyAlive, type ProcessIdentity } from '#os/lease/process-identity';

export interface ServerLock {
  /** Names the server that works on the folder, so that the next start can stop it if we crash. */
  record(serverPid: number): Promise<void>;
  /** Safe twice. */
  release(): Promise<void>;
}

const PARTS: LeaseParts = { fs: nodeFiles, clock: systemClock };
const POLL_MS = 250;

/**
 * Takes a data folder for this process. A server that a crashed owner left behind is stopped first, so two servers
 * never work on the same files. An owner of which nothing can be proven, such as one in another container, is watched for a heartbeat.
 *
 * @param path the lock file
 * @param what for messages: whose folder it is
 * @param onProgress told when an owner has to be watched
 * @throws StorageError `busy` when a live process owns the folder
 */
export async function takeServerLock(
  path: string,
  what: string,
  onProgress?: (step: string) => void,
): Promise<ServerLock> {
  let seen: Observation | undefined;
  for (;;) {
    const outcome = await tryLease(PARTS, path, '', seen);
    if ('lease' in outcome) return lockOf(await withoutOrphan(outcome));
    const { heldBy, observation } = outcome;
    const isBeating = seen !== undefined && seen !== observation;
    if (heldBy !== undefined && (isBeating || (await provablyAlive(nodeFiles, heldBy.process))))
      throw new StorageError(
        'busy',
        path,
        `${what} is in use by process ${heldBy.process.pid} on ${heldBy.host}: stop that one first`,
      );
    if (seen === undefined) onProgress?.(`watching ${what} for ${LEASE_TTL_MS / 1000} s: a program may still use it`);
    seen = observation;
    await systemClock.wait(POLL_MS);
  }
}

const lockOf = (lease: Lease): ServerLock => ({
  record: async (serverPid) => lease.tell(JSON.stringify(await processIdentityOf(nodeFiles, serverPid))),
  release: () => lease.release(),
});

async function withoutOrphan({ lease, displaced }: TakenLease): Promise<Lease> {
  const note = displaced?.note ?? '';
  if (note === '') return lease;
  try {
    // Named until it is gone: this process may crash too.
    await lease.tell(note);
    await stopServer(processIn(parseJson(note)));
    await lease.tell('');
    return lease;
  } catch (error) {
    await lease.release();
    throw error;
  }
}

/** Asks for a fast shutdown (SIGINT means that to both servers); kills after 15 s. */
async function stopServer(server: ProcessIdentity): Promise<void> {
  const deadlineMs = systemClock.monotonic() + 15_000;
  for (let asked = false; await provablyAlive(nodeFiles, server); asked = true) {
    if (!asked) signal(server.pid, 'SIGINT');
    if (systemClock.monotonic() > deadlineMs) signal(server.pid, 'SIGKILL');
    await systemClock.wait(50);
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if (codeOf(error) !== 'ESRCH') throw error;
  }
}
