import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { codeOf, messageOf } from '#core/error-facts';
import { StorageError } from '#core/failure';
import { parseJson } from '#core/parse-json';
import { ifPresent } from './if-present.ts';
import { unlinkIfPresent, writeAtomically } from './write-file.ts';
import type { Clock } from './clock.ts';
import { processIdentity, provablyGone, type ProcessIdentity } from './process-identity.ts';
import type { FileCalls } from './file-calls.ts';

export interface LeaseParts {
  readonly fs: FileCalls;
  readonly clock: Clock;
}

/** What stands in a lease file. Its mtime is the heartbeat. */
export interface LeaseRecord {
  readonly token: string;
  readonly host: string;
  readonly process: ProcessIdentity;
  /** What the holder wants to tell, such as the name of its partial. */
  readonly note: string;
}

export interface Lease {
  readonly record: LeaseRecord;
  /** Aborted when the lease turns out to be somebody else's: stop writing. */
  readonly lost: AbortSignal;
  /** @returns whether the lease is still ours */
  isMine(): Promise<boolean>;
  /** Changes the note. */
  tell(note: string): Promise<void>;
  /** Gives the lease up; safe twice. */
  release(): Promise<void>;
  /** Gives the lease up and moves its file to the path, dated `atMs`: takes no space, so it works on a full disk. */
  releaseTo(path: string, atMs: number): Promise<void>;
}

/** Who holds a lease, as the asker has watched it. */
export interface Observation {
  /** Changes with every heartbeat. */
  readonly signature: string;
  /** Monotonic time at which the asker first saw this signature. */
  readonly sinceMs: number;
}

export type LeaseOutcome =
  | { readonly lease: Lease; readonly displaced: LeaseRecord | undefined; readonly displacedIsGone: boolean }
  | { readonly heldBy: LeaseRecord | undefined; readonly observation: Observation };

/** A holder beats three times within this; milliseconds. */
export const LEASE_TTL_MS = 15_000;

/**
 * Takes the lease, or says who holds it. A lease ends by its heartbeat, never by its process number alone (HD9): the asker
 * watches it for `ttlMs` without a beat, on its own monotonic clock, so a wrong wall clock cannot end it early. Only a
 * process that is proven gone (same kernel, same process namespace, no such process) is displaced at once.
 *
 * A lease avoids double work; correctness comes from private inodes and publishing by content (HD8).
 * @param earlier what the previous call with the same path observed
 */
export async function tryLease(
  parts: LeaseParts,
  path: string,
  note: string,
  earlier?: Observation,
  ttlMs: number = LEASE_TTL_MS,
): Promise<LeaseOutcome> {
  const record: LeaseRecord = { token: randomUUID(), host: hostname(), process: await processIdentity(parts.fs), note };
  try {
    await parts.fs.writeFile(path, JSON.stringify(record), { flag: 'wx', mode: 0o600 });
    return { lease: holdLease(parts, path, record, ttlMs), displaced: undefined, displacedIsGone: false };
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') {
      await dropUnwritten(parts, path);
      throw StorageError.from(error, path);
    }
  }
  const seen = await look(parts, path);
  if (seen === undefined) return tryLease(parts, path, note, earlier, ttlMs);
  const observation =
    earlier?.signature === seen.signature ? earlier : { signature: seen.signature, sinceMs: parts.clock.monotonic() };
  const gone = seen.record !== undefined && (await provablyGone(parts.fs, seen.record.process));
  const silent = parts.clock.monotonic() - observation.sinceMs >= ttlMs;
  if (!gone && !silent) return { heldBy: seen.record, observation };
  if (!(await displace(parts, path, seen, record, ttlMs))) return { heldBy: seen.record, observation };
  return { lease: holdLease(parts, path, record, ttlMs), displaced: seen.record, displacedIsGone: gone };
}

/** A full disk makes the file and then refuses its content: left there, the next asker would wait for nobody. */
async function dropUnwritten(parts: LeaseParts, path: string): Promise<void> {
  const raw = await ifPresent(parts.fs.readFile(path, 'utf8'));
  if (raw !== undefined && parseLease(raw) === undefined) await unlinkIfPresent(parts.fs, path);
}

interface Seen {
  readonly record: LeaseRecord | undefined;
  readonly raw: string;
  readonly signature: string;
}

async function look(parts: LeaseParts, path: string): Promise<Seen | undefined> {
  const raw = await ifPresent(parts.fs.readFile(path, 'utf8'));
  const stat = await ifPresent(parts.fs.stat(path));
  if (raw === undefined || stat === undefined) return undefined;
  return { record: parseLease(raw), raw, signature: `${raw} ${stat.mtimeMs}` };
}

/** @returns undefined for a record that a crash left unfinished */
export function parseLease(raw: string): LeaseRecord | undefined {
  const value = parseJson(raw) as Partial<LeaseRecord> | null | undefined;
  if (typeof value?.token !== 'string' || typeof value.note !== 'string') return undefined;
  const { place, pid, started } = value.process ?? {};
  return {
    token: value.token,
    note: value.note,
    host: String(value.host),
    process: { place: String(place), pid: Number(pid), started: String(started) },
  };
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
    if (codeOf(error) !== 'EEXIST') throw StorageError.from(error, path);
    await dropOldMarker(parts, marker, ttlMs);
    return false;
  }
  try {
    if ((await ifPresent(parts.fs.readFile(path, 'utf8'))) !== dead.raw) return false;
    await writeAtomically(parts.fs, path, JSON.stringify(record));
    return true;
  } finally {
    await unlinkIfPresent(parts.fs, marker);
  }
}

/** A marker outlives its maker only after a crash within two calls. */
async function dropOldMarker(parts: LeaseParts, marker: string, ttlMs: number): Promise<void> {
  const stat = await ifPresent(parts.fs.stat(marker));
  if (stat !== undefined && Math.abs(parts.clock.now() - stat.mtimeMs) > 2 * ttlMs)
    await unlinkIfPresent(parts.fs, marker);
}

function holdLease(parts: LeaseParts, path: string, record: LeaseRecord, ttlMs: number): Lease {
  const lost = new AbortController();
  const read = (): Promise<string | undefined> => ifPresent(parts.fs.readFile(path, 'utf8'));
  const isOurs = (raw: string | undefined): boolean => raw !== undefined && parseLease(raw)?.token === record.token;
  const isMine = async (): Promise<boolean> => isOurs(await read());
  const stop = (reason: string): void => {
    clearInterval(timer);
    if (!lost.signal.aborted) lost.abort(new StorageError('busy', path, reason));
  };
  const beat = async (): Promise<void> => {
    try {
      const raw = await read();
      if (raw === undefined) return stop('the lease is gone: somebody removed it, or its folder');
      if (!isOurs(raw)) return stop('the lease was taken over: this process was silent for too long');
      const now = new Date(parts.clock.now());
      await parts.fs.utimes(path, now, now);
    } catch (error) {
      stop(`the lease cannot be kept: ${messageOf(error)}`);
    }
  };
  const timer = setInterval(() => void beat(), ttlMs / 3);
  timer.unref();
  let released = false;
  const letGo = async (giveUp: () => Promise<void>): Promise<void> => {
    clearInterval(timer);
    if (released) return;
    released = true;
    if (await isMine()) await giveUp();
  };
  const release = (): Promise<void> => letGo(() => unlinkIfPresent(parts.fs, path));
  const releaseTo = (target: string, atMs: number): Promise<void> =>
    letGo(async () => {
      await parts.fs.utimes(path, new Date(atMs), new Date(atMs));
      await parts.fs.rename(path, target);
    });
  const tell = async (note: string): Promise<void> => {
    if (!(await isMine())) throw new StorageError('busy', path, 'the lease belongs to somebody else now');
    await writeAtomically(parts.fs, path, JSON.stringify({ ...record, note }));
  };
  return { record, lost: lost.signal, isMine, tell, release, releaseTo };
}
