import { copyFile, open, rename } from 'node:fs/promises';
import { systemClock } from '#os/clock';
import { nodeFiles } from '#os/file-calls';
import { ifPresent } from '#os/if-present';
import { tryLease, type Lease, type LeaseOutcome, type Observation } from '#os/lease-file';
import { StorageError } from '#core/failure';
import { leasePathOf } from './partial-path.ts';

const POLL_MS = 250;
const PARTS = { fs: nodeFiles, clock: systemClock };

/** The right to write a target's partial: two programs in one inode could publish what neither of them proved. */
export interface TargetLease {
  /** Somebody else had it before: what is at the target may be new. */
  readonly hasWaited: boolean;
  /** Aborted when another program took over because this one was silent for too long. */
  readonly lost: AbortSignal;
  /** @throws StorageError `busy` when another program has taken over */
  assertMine(): Promise<void>;
  /** Safe twice. */
  release(): Promise<void>;
}

export interface LeaseTargetOptions {
  readonly signal: AbortSignal;
  /** Told once, who is waited for. */
  readonly onWaiting?: ((holder: string) => void) | undefined;
  /** Silence after which a holder that cannot be seen counts as gone; milliseconds; default 15,000. */
  readonly ttlMs?: number | undefined;
}

/**
 * Takes the partial for this program alone; waits while another one has it (H05). One that was killed is known to be gone at once,
 * one on another machine after 15 s of silence.
 *
 * @throws StorageError; the signal's reason when it is aborted while waiting
 */
export async function leaseTarget(partialPath: string, options: LeaseTargetOptions): Promise<TargetLease> {
  const path = leasePathOf(partialPath);
  let observation: Observation | undefined;
  for (;;) {
    options.signal.throwIfAborted();
    const outcome = await tryLease(PARTS, path, '', observation, options.ttlMs);
    if ('lease' in outcome) return takeOver(partialPath, outcome, observation !== undefined);
    if (observation === undefined) options.onWaiting?.(nameOf(outcome));
    observation = outcome.observation;
    await systemClock.wait(POLL_MS, options.signal);
  }
}

function nameOf({ heldBy }: Extract<LeaseOutcome, { readonly observation: Observation }>): string {
  return heldBy === undefined ? 'another program' : `process ${heldBy.process.pid} on ${heldBy.host}`;
}

async function takeOver(
  partialPath: string,
  { lease, displaced, displacedIsGone }: Extract<LeaseOutcome, { readonly lease: Lease }>,
  hasWaited: boolean,
): Promise<TargetLease> {
  try {
    if (displaced !== undefined && !displacedIsGone) await makePrivate(partialPath);
  } catch (error) {
    await lease.release();
    throw StorageError.from(error, partialPath);
  }
  return {
    hasWaited,
    lost: lease.lost,
    async assertMine() {
      if (!(await lease.isMine())) throw new StorageError('busy', partialPath, 'another program has taken over');
    },
    release: () => lease.release(),
  };
}

/** Who only fell silent may still write: its bytes go on in an inode of ours, durable as its journal says they are. */
async function makePrivate(partialPath: string): Promise<void> {
  const copy = `${partialPath}.copy`;
  const isThere = await ifPresent(copyFile(partialPath, copy).then(() => true));
  if (isThere === undefined) return;
  const handle = await open(copy, 'r+');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(copy, partialPath);
}
