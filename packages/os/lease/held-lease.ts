import { messageOf } from '#core/error-facts';
import { StorageError } from '#core/failure';
import type { Logger } from '#core/logger';
import type { Clock } from '../clock.ts';
import type { FileCalls } from '../file-calls.ts';
import { ifPresent } from '../if-present.ts';
import { parseLease, type LeaseRecord } from './lease-record.ts';
import { unlinkIfPresent, writeAtomically } from '../write-file.ts';

export interface LeaseParts {
  readonly fs: FileCalls;
  readonly clock: Clock;
  /** Told of failures of the disk that are tried again or change nothing. */
  readonly logger?: Logger | undefined;
}

export interface Lease {
  readonly record: LeaseRecord;
  /** Aborted when another process has the lease: stop writing. */
  readonly lost: AbortSignal;
  /**
   * @returns whether the lease is still ours
   * @throws StorageError when it cannot be read
   */
  isMine(): Promise<boolean>;
  /** Changes the note. */
  tell(note: string): Promise<void>;
  /** Gives the lease up; safe twice. Never rejects: a file that cannot be removed expires without its heartbeat. */
  release(): Promise<void>;
  /** Gives the lease up and moves its file to the path, dated `atMs`: takes no space, so it works on a full disk. */
  releaseTo(path: string, atMs: number): Promise<void>;
}

/** Beats for the lease at `path`, whose record is already there, until it is released or lost. */
export function holdLease(parts: LeaseParts, path: string, record: LeaseRecord, ttlMs: number): Lease {
  const { fs, logger } = parts;
  const heart = startHeart(parts, path, record.token, ttlMs);
  const isMine = async (): Promise<boolean> => {
    try {
      return tokenIn(await ifPresent(fs.readFile(path, 'utf8'))) === record.token;
    } catch (error) {
      throw StorageError.from(error, path);
    }
  };
  let isReleased = false;
  const letGo = async (giveUp: () => Promise<void>): Promise<void> => {
    heart.stop();
    if (!isReleased && (await isMine())) await giveUp();
    isReleased = true;
  };
  return {
    record,
    lost: heart.lost,
    isMine,
    async tell(note) {
      if (!(await isMine())) throw new StorageError('busy', path, 'another process has taken over the lease');
      await writeAtomically(fs, path, JSON.stringify({ ...record, note }));
    },
    release: () =>
      letGo(() => unlinkIfPresent(fs, path)).catch((err: unknown) => logger?.warn({ path, err }, 'lease not given up')),
    releaseTo: (target, atMs) =>
      letGo(async () => {
        await fs.utimes(path, new Date(atMs), new Date(atMs));
        await fs.rename(path, target);
      }),
  };
}

const tokenIn = (raw: string | undefined): string | undefined =>
  raw === undefined ? undefined : parseLease(raw)?.token;

interface Heart {
  readonly lost: AbortSignal;
  /** The lease is not lost after that, whatever a beat that is under way finds. */
  stop(): void;
}

/** One failed beat does no harm; after `ttlMs` without any, another process may have taken over. */
function startHeart({ fs, clock, logger }: LeaseParts, path: string, token: string, ttlMs: number): Heart {
  const lost = new AbortController();
  let isStopped = false;
  let beatAtMs = clock.monotonic();
  const stop = (): void => {
    isStopped = true;
    clearInterval(timer);
  };
  const lose = (reason: string): void => {
    if (!isStopped) lost.abort(new StorageError('busy', path, reason));
    stop();
  };
  const beat = async (): Promise<void> => {
    try {
      const raw = await ifPresent(fs.readFile(path, 'utf8'));
      if (raw === undefined) return lose('the lease is gone: its file or folder was removed');
      if (tokenIn(raw) !== token) return lose('the lease was taken over: this process was silent for too long');
      const now = new Date(clock.now());
      if (!isStopped) await fs.utimes(path, now, now);
      beatAtMs = clock.monotonic();
    } catch (err) {
      logger?.warn({ path, err }, 'lease not renewed');
      if (clock.monotonic() - beatAtMs >= ttlMs) lose(`the lease cannot be kept: ${messageOf(err)}`);
    }
  };
  const timer = setInterval(() => void beat(), ttlMs / 3);
  timer.unref();
  return { lost: lost.signal, stop };
}
