import { StorageError } from '#core/failure';
import type { Lease, LeaseParts } from '#os/lease/held-lease';
import { LEASE_TTL_MS, tryLease, type Observation } from '#os/lease/lease-file';

const POLL_MS = 20;
/** A holder works for milliseconds, or copies a model where nothing can be linked. Beyond this the caller should hear of it. */
const PATIENCE_MS = 40 * LEASE_TTL_MS;

/**
 * Waits for a lock that all processes on this store share, and runs `work` under it.
 *
 * @throws StorageError `busy` when somebody keeps the lock for ten minutes
 */
export async function withFolderLock<T>(
  parts: LeaseParts,
  path: string,
  work: (lease: Lease) => Promise<T>,
): Promise<T> {
  const lease = await waitForLock(parts, path);
  try {
    return await work(lease);
  } finally {
    await lease.release();
  }
}

async function waitForLock(parts: LeaseParts, path: string): Promise<Lease> {
  const startedMs = parts.clock.monotonic();
  let observation: Observation | undefined;
  for (;;) {
    const outcome = await tryLease(parts, path, 'lock', observation);
    if ('lease' in outcome) return outcome.lease;
    observation = outcome.observation;
    const waitedMs = parts.clock.monotonic() - startedMs;
    if (waitedMs > PATIENCE_MS)
      throw new StorageError(
        'busy',
        path,
        `${path} is held by process ${outcome.heldBy?.process.pid} on ${outcome.heldBy?.host} for ${Math.round(waitedMs / 1000)} s`,
      );
    await parts.clock.wait(POLL_MS);
  }
}
