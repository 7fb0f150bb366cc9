import { silentLogger, type Logger } from '#core/logger';
import { systemClock } from '#os/clock';
import { nodeFiles } from '#os/file-calls';
import { leasePartial, tidyPlace, type LeasedPartial } from '#os/lease/leased-partial';
import type { LeaseRecord } from '#os/lease/lease-record';
import { partialPlaceOf } from './partial-path.ts';

/** The right to put a file at a target, with a partial that no other program writes to. */
export interface TargetLease extends LeasedPartial {
  /** Another program held the lease before: the file at the target may be new. */
  readonly hasWaited: boolean;
}

export interface LeaseTargetOptions {
  readonly signal: AbortSignal;
  /** Called once with the holder that this call waits for. */
  readonly onWaiting?: ((holder: string) => void) | undefined;
  /** Files of earlier fetches in the folder, read once for many targets. */
  readonly leftovers?: Leftovers | undefined;
  /** A holder on another machine or in another container is gone after this long without a sign of life; milliseconds; default 15,000. */
  readonly ttlMs?: number | undefined;
  readonly logger?: Logger | undefined;
}

/**
 * Takes the target for this program alone; waits while another program holds it. A killed holder, also after a power cut, is detected
 * at once; a holder on another machine or in another container after `ttlMs` without a sign of life.
 *
 * @throws StorageError; the signal's reason when it is aborted while waiting
 */
export async function leaseTarget(target: string, options: LeaseTargetOptions): Promise<TargetLease> {
  const { signal, ttlMs, logger = silentLogger } = options;
  let hasWaited = false;
  const outcome = await leasePartial<never>({ fs: nodeFiles, clock: systemClock, logger }, partialPlaceOf(target), {
    find: () => Promise.resolve(undefined),
    onWaiting: (heldBy) => {
      hasWaited = true;
      options.onWaiting?.(nameOf(heldBy));
    },
    isEmpty: options.leftovers && (async () => !(await options.leftovers!.areAt(target))),
    signal,
    ttlMs,
  });
  if ('found' in outcome) return outcome.found;
  return { ...outcome.partial, hasWaited };
}

/** Files that programs left beside targets. Each folder is read once, because a folder may have thousands of targets. */
export class Leftovers {
  readonly #keysByFolder = new Map<string, Promise<ReadonlySet<string>>>();

  /** Tells whether a file of an earlier fetch lies beside the target. */
  async areAt(target: string): Promise<boolean> {
    const { folder, key } = partialPlaceOf(target);
    const known = this.#keysByFolder.get(folder) ?? keysIn(folder);
    this.#keysByFolder.set(folder, known);
    return (await known).has(key);
  }
}

/** A folder that cannot be read has no leftovers here: writing to it reports the failure. */
async function keysIn(folder: string): Promise<ReadonlySet<string>> {
  const names = await nodeFiles.readdir(folder).catch((): string[] => []);
  return new Set(names.flatMap((name) => /^\..*\.haulier-part(?=\.)/.exec(name)?.[0] ?? []));
}

/**
 * Removes the files that a program left beside a finished target when it was killed right after publishing. Never rejects, because the
 * file itself is in place.
 */
export async function tidyTarget(target: string, logger: Logger = silentLogger): Promise<void> {
  const place = partialPlaceOf(target);
  await tidyPlace({ fs: nodeFiles, clock: systemClock, logger }, place).catch((err: unknown) =>
    logger.warn({ path: target, err }, 'leftovers not removed'),
  );
}

const nameOf = (holder: LeaseRecord | undefined): string =>
  holder === undefined ? 'another program' : `process ${holder.process.pid} on ${holder.host}`;
