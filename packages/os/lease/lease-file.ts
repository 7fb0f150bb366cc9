import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { codeOf } from '#core/error-facts';
import { StorageError } from '#core/failure';
import { holdLease, type Lease, type LeaseParts } from './held-lease.ts';
import { ifPresent } from '../if-present.ts';
import { parseLease, type LeaseRecord } from './lease-record.ts';
import { processIdentity, provablyGone } from './process-identity.ts';
import { dropTemporary, unlinkIfPresent, writeAtomically } from '../write-file.ts';

/** The holder of a lease, as the asker has watched it. */
export interface Observation {
  /** Changes with every heartbeat. */
  readonly signature: string;
  /** Monotonic time at which the asker first saw this signature. */
  readonly sinceMs: number;
}

export interface TakenLease {
  readonly lease: Lease;
  readonly displaced: LeaseRecord | undefined;
  readonly displacedIsGone: boolean;
}

export type LeaseOutcome = TakenLease | { readonly heldBy: LeaseRecord | undefined; readonly observation: Observation };

/** A holder beats three times within this; milliseconds. */
export const LEASE_TTL_MS = 15_000;

/**
 * Takes the lease, or tells its holder. A lease ends by its heartbeat, never by its process number alone: the asker
 * watches it for `ttlMs` without a beat, on its own monotonic clock, so a wrong wall clock cannot end it early. Only a
 * process that is proven gone (`provablyGone`) is displaced at once.
 *
 * A lease avoids double work; correctness comes from private inodes and publishing by content.
 * @param earlier what the previous call with the same path observed
 * @throws StorageError
 */
export async function tryLease(
  parts: LeaseParts,
  path: string,
  note: string,
  earlier?: Observation,
  ttlMs: number = LEASE_TTL_MS,
): Promise<LeaseOutcome> {
  try {
    const record: LeaseRecord = {
      token: randomUUID(),
      host: hostname(),
      process: await processIdentity(parts.fs),
      note,
    };
    if (!(await create(parts, path, record))) return await takeOver(parts, path, record, earlier, ttlMs);
    return { lease: holdLease(parts, path, record, ttlMs), displaced: undefined, displacedIsGone: false };
  } catch (error) {
    throw StorageError.from(error, path);
  }
}

const POLL_MS = 20;
/** Work under a lease takes milliseconds, or copies a model where nothing can be linked. */
const PATIENCE_MS = 40 * LEASE_TTL_MS;

/**
 * Waits for the lease and runs `work` under it.
 *
 * @throws StorageError `busy` when another process keeps the lease for ten minutes
 */
export async function withLease<T>(
  parts: LeaseParts,
  path: string,
  note: string,
  work: (lease: Lease) => Promise<T>,
): Promise<T> {
  const lease = await waitForLease(parts, path, note);
  try {
    return await work(lease);
  } finally {
    await lease.release();
  }
}

async function waitForLease(parts: LeaseParts, path: string, note: string): Promise<Lease> {
  const startedMs = parts.clock.monotonic();
  let observation: Observation | undefined;
  for (;;) {
    const outcome = await tryLease(parts, path, note, observation);
    if ('lease' in outcome) return outcome.lease;
    observation = outcome.observation;
    const waitedMs = parts.clock.monotonic() - startedMs;
    if (waitedMs >= PATIENCE_MS)
      throw new StorageError(
        'busy',
        path,
        `${path} is held by process ${outcome.heldBy?.process.pid} on ${outcome.heldBy?.host} for ${Math.round(waitedMs / 1000)} s`,
      );
    await parts.clock.wait(POLL_MS);
  }
}

/**
 * Every user of the folder can read the holder of the lease. A full disk makes the file and then refuses its content: without its
 * removal, the next asker would wait for a holder that does not exist.
 *
 * @returns false when there is one already
 */
async function create(parts: LeaseParts, path: string, record: LeaseRecord): Promise<boolean> {
  const handle = await parts.fs.open(path, 'wx', 0o644).catch((error: unknown) => {
    if (codeOf(error) !== 'EEXIST') throw error;
  });
  if (handle === undefined) return false;
  try {
    try {
      await handle.writeFile(JSON.stringify(record));
    } finally {
      await handle.close();
    }
    return true;
  } catch (error) {
    await dropTemporary(parts.fs, path);
    throw error;
  }
}

async function takeOver(
  parts: LeaseParts,
  path: string,
  record: LeaseRecord,
  earlier: Observation | undefined,
  ttlMs: number,
): Promise<LeaseOutcome> {
  const nowMs = parts.clock.monotonic();
  const seen = await look(parts, path);
  const signature = seen?.signature ?? 'given up just now';
  const observation = earlier?.signature === signature ? earlier : { signature, sinceMs: nowMs };
  if (seen === undefined) return { heldBy: undefined, observation };
  const gone = seen.record !== undefined && (await provablyGone(parts.fs, seen.record.process, seen.beatAtMs));
  const silent = nowMs - observation.sinceMs >= ttlMs;
  if ((!gone && !silent) || !(await displace(parts, path, seen, record, ttlMs)))
    return { heldBy: seen.record, observation };
  return { lease: holdLease(parts, path, record, ttlMs), displaced: seen.record, displacedIsGone: gone };
}

interface Seen {
  readonly record: LeaseRecord | undefined;
  /** Wall clock of its holder. */
  readonly beatAtMs: number;
  readonly signature: string;
}

async function look({ fs }: LeaseParts, path: string): Promise<Seen | undefined> {
  const raw = await ifPresent(fs.readFile(path, 'utf8'));
  const stat = await ifPresent(fs.stat(path));
  if (raw === undefined || stat === undefined) return undefined;
  return { record: parseLease(raw), beatAtMs: stat.mtimeMs, signature: `${raw} ${stat.mtimeMs}` };
}

/** Replaces a dead lease. The marker is named after the dead holder, so only one asker can replace it. */
async function displace(
  parts: LeaseParts,
  path: string,
  dead: Seen,
  record: LeaseRecord,
  ttlMs: number,
): Promise<boolean> {
  const marker = `${path}.${dead.record?.token ?? 'unreadable'}.taken.tmp`;
  try {
    await parts.fs.writeFile(marker, '', { flag: 'wx' });
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
    await dropOldMarker(parts, marker, ttlMs);
    return false;
  }
  try {
    if ((await look(parts, path))?.signature !== dead.signature) return false;
    await writeAtomically(parts.fs, path, JSON.stringify(record));
    return true;
  } finally {
    await dropTemporary(parts.fs, marker);
  }
}

/** A marker outlives its maker only after a crash within two calls. */
async function dropOldMarker(parts: LeaseParts, marker: string, ttlMs: number): Promise<void> {
  const stat = await ifPresent(parts.fs.stat(marker));
  if (stat !== undefined && Math.abs(parts.clock.now() - stat.mtimeMs) > 2 * ttlMs)
    await unlinkIfPresent(parts.fs, marker);
}
