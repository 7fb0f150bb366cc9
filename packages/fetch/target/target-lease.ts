import { silentLogger, type Logger } from '#core/logger';
import { systemClock } from '#os/clock';
import { nodeFiles } from '#os/file-calls';
import { leasePartial, tidyPlace, type LeasedPartial } from '#os/lease/leased-partial';
import type { LeaseRecord } from '#os/lease/lease-record';
import { partialPlaceOf } from './partial-path.ts';

/** The right to put a file at a target, with a partial that no other program writes to. */
export interface TargetLease extends LeasedPartial {
  /** Somebody else had it before: what is at the target may be new. */
  readonly hasWaited: boolean;
}

export interface LeaseTargetOptions {
  readonly signal: AbortSignal;
  /** Told once, who is waited for. */
  readonly onWaiting?: ((holder: string) => void) | undefined;
  /** What lies in the folder from before, read once for many targets. */
  readonly leftovers?: Leftovers | undefined;
  /** Silence after which a holder that cannot be seen counts as gone; milliseconds; default 15,000. */
  readonly ttlMs?: number | undefined;
  readonly logger?: Logger | undefined;
}

/**
 * Takes the target for this program alone; waits while another one has it (H05). One that was killed, also by a power cut, is known
 * to be gone at once, one on another machine or in another container after 15 s of silence.
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

/** What programs left beside targets before, by one look at each folder: a folder of thousands of targets is not read for each of them. */
export class Leftovers {
  readonly #keysByFolder = new Map<string, Promise<ReadonlySet<string>>>();

  /** Whether something of an earlier fetch lies beside the target. */
  async areAt(target: string): Promise<boolean> {
    const { folder, key } = partialPlaceOf(target);
    const known = this.#keysByFolder.get(folder) ?? keysIn(folder);
    this.#keysByFolder.set(folder, known);
    return (await known).has(key);
  }
}

/** A folder that cannot be read says nothing here; writing there will say why. */
async function keysIn(folder: string): Promise<ReadonlySet<string>> {
  const names = await nodeFiles.readdir(folder).catch((): string[] => []);
  return new Set(names.flatMap((name) => /^\..*\.haulier-part(?=\.)/.exec(name)?.[0] ?? []));
}

/**
 * Removes what a program left beside a finished target when it was killed right after publishing. Never rejects: the file itself is
 * in place.
 */
export async function tidyTarget(target: string, logger: Logger = silentLogger): Promise<void> {
  const place = partialPlaceOf(target);
  await tidyPlace({ fs: nodeFiles, clock: systemClock, logger }, place).catch((err: unknown) =>
    logger.warn({ path: target, err }, 'leftovers not removed'),
  );
}

const nameOf = (holder: LeaseRecord | undefined): string =>
  holder === undefined ? 'another program' : `process ${holder.process.pid} on ${holder.host}`;
