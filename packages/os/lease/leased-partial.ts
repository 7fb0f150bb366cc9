import { randomBytes } from 'node:crypto';
import { basename, join } from 'node:path';
import { codeOf } from '#core/error-facts';
import { StorageError } from '#core/failure';
import type { Logger } from '#core/logger';
import { parseJson } from '#core/text/parse-json';
import type { Lease, LeaseParts } from './held-lease.ts';
import { ifPresent } from '../if-present.ts';
import { tryLease, type Observation, type TakenLease } from './lease-file.ts';
import { parseLease, type LeaseRecord } from './lease-record.ts';
import { unlinkIfPresent, writeAtomically } from '../write-file.ts';

/**
 * Where the partials of one content, or of one target, lie. Beside each other in the folder: `<key>.lease` says who writes,
 * `<key>.kept.json` which partial was given back, and every taker has a `<key>.<id>.part` with a journal beside it.
 */
export interface PartialPlace {
  readonly folder: string;
  readonly key: string;
}

/** The exclusive right to write one partial: the next holder continues it or starts another one. */
export interface LeasedPartial {
  /** Where the transfer writes. Its journal stands beside, with this path as the beginning of its name. */
  readonly partialPath: string;
  /** True when an earlier attempt left this very partial and no other process can have it open. */
  readonly resumed: boolean;
  /** Partials of holders that may still write to them: what is good is copied out of these, they are never published. */
  readonly salvage: readonly string[];
  /** Aborted when another process took over: stop writing. */
  readonly lost: AbortSignal;
  /** @throws StorageError `busy` when another process has taken over */
  assertMine(): Promise<void>;
  /** Ends the attempt and keeps the partial for the next one, for `keepForMs` where a sweep passes by. Never rejects. */
  release(options?: { readonly keepForMs?: number }): Promise<void>;
  /** Ends the attempt and removes what is left of it: after a publish, or a cancel. Never rejects. */
  discard(): Promise<void>;
}

export interface LeasePartialOptions<Found> {
  /** Asked again whenever the holder may have finished: what it finds ends the wait. */
  readonly find: () => Promise<Found | undefined>;
  readonly signal?: AbortSignal | undefined;
  /** Told once when another process holds the lease, for logs and status. */
  readonly onWaiting?: ((heldBy: LeaseRecord | undefined) => void) | undefined;
  /**
   * Whether nothing of an earlier attempt lies in the place, as one look at its folder showed for all places in there: then the folder,
   * which may have thousands of files, is not read again. What other programs left since then shows by its lease or record.
   */
  readonly isEmpty?: (() => Promise<boolean>) | undefined;
  readonly pollMs?: number | undefined;
  readonly ttlMs?: number | undefined;
}

export type PartialOutcome<Found> = { readonly found: Found } | { readonly partial: LeasedPartial };

interface Parts extends LeaseParts {
  readonly logger: Logger;
}

const POLL_MS = 250;

/**
 * Single flight: the first asker gets a partial, the others wait and get what it published; when it fails or dies, one of them
 * goes on with its partial.
 *
 * @throws StorageError; the signal's reason when it is aborted while waiting
 */
export async function leasePartial<Found>(
  parts: Parts,
  place: PartialPlace,
  options: LeasePartialOptions<Found>,
): Promise<PartialOutcome<Found>> {
  const fresh = basename(pathOfPartial(place, randomBytes(4).toString('hex')));
  let observation: Observation | undefined;
  for (;;) {
    options.signal?.throwIfAborted();
    const outcome = await tryLease(parts, leasePath(place), fresh, observation, options.ttlMs);
    const found = await options.find().catch(async (error: unknown) => {
      if ('lease' in outcome) await outcome.lease.release();
      throw error;
    });
    if (found !== undefined) {
      if ('lease' in outcome) await outcome.lease.release();
      return { found };
    }
    if ('lease' in outcome) {
      const waited = observation !== undefined || outcome.displaced !== undefined;
      const isEmpty = waited ? undefined : options.isEmpty;
      return { partial: await takePartial(parts, place, fresh, outcome, isEmpty) };
    }
    if (observation === undefined) options.onWaiting?.(outcome.heldBy);
    observation = outcome.observation;
    await parts.clock.wait(options.pollMs ?? POLL_MS, options.signal);
  }
}

/**
 * Removes what lies in the place when no partial does: a process was killed between publishing and putting in order. A partial
 * that can be continued stays, and so does everything while the lease is held.
 *
 * @throws StorageError
 */
export async function tidyPlace(parts: Parts, place: PartialPlace): Promise<void> {
  const names = (await parts.fs.readdir(place.folder)).filter((name) => name.startsWith(`${place.key}.`));
  if (names.length === 0 || names.some((name) => endingOf(place, name) === '')) return;
  const outcome = await tryLease(parts, leasePath(place), '');
  if (!('lease' in outcome)) return;
  const left = await takePartial(parts, place, basename(pathOfPartial(place, '00000000')), outcome);
  await (left.resumed || left.salvage.length > 0 ? left.release() : left.discard());
}

/** @param id 8 hexadecimal digits */
export const pathOfPartial = ({ folder, key }: PartialPlace, id: string): string => join(folder, `${key}.${id}.part`);
export const leasePath = ({ folder, key }: PartialPlace): string => join(folder, `${key}.lease`);
const keptPath = ({ folder, key }: PartialPlace): string => join(folder, `${key}.kept.json`);

/** `''` of a partial, `.journal` and the like of what lies beside it; undefined for any other name. */
const endingOf = ({ key }: PartialPlace, name: string): string | undefined =>
  name.startsWith(`${key}.`) ? /^[0-9a-f]{8}\.part((?:\..*)?)$/.exec(name.slice(key.length + 1))?.[1] : undefined;

async function takePartial(
  parts: Parts,
  place: PartialPlace,
  fresh: string,
  taken: TakenLease,
  isEmpty?: () => Promise<boolean>,
): Promise<LeasedPartial> {
  try {
    if (isEmpty !== undefined && (await isEmpty()) && (await readKept(parts, place)) === undefined)
      return holdPartial(parts, place, fresh, taken.lease, { resumed: false, salvage: [] }, true);
    const left = (await parts.fs.readdir(place.folder)).filter((name) => endingOf(place, name) === '').sort();
    const adopted = await cleanlyLeft(parts, place, left, taken);
    if (adopted !== undefined) await taken.lease.tell(adopted);
    await unlinkIfPresent(parts.fs, keptPath(place));
    const name = adopted ?? fresh;
    const salvage = left.filter((other) => other !== name).map((other) => join(place.folder, other));
    return holdPartial(parts, place, name, taken.lease, { resumed: adopted !== undefined, salvage });
  } catch (error) {
    await taken.lease.release();
    throw StorageError.from(error, leasePath(place));
  }
}

/** A partial that its holder gave back, or whose holder is proven gone. Any other may still be open for writing somewhere. */
async function cleanlyLeft(
  parts: Parts,
  place: PartialPlace,
  left: readonly string[],
  taken: TakenLease,
): Promise<string | undefined> {
  const kept = (await readKept(parts, place))?.partial;
  const name = kept !== undefined && left.includes(kept) ? kept : taken.displacedIsGone && taken.displaced?.note;
  if (!name || !left.includes(name)) return undefined;
  return (await isWritable(parts, join(place.folder, name))) ? name : undefined;
}

/** Another user's is only read. Our own may be read-only, after a crash within a publish, and is made writable when it is opened. */
async function isWritable({ fs }: Parts, path: string): Promise<boolean> {
  try {
    await (await fs.open(path, 'r+')).close();
    return true;
  } catch (error) {
    if (codeOf(error) !== 'EACCES' && codeOf(error) !== 'EPERM') throw error;
    return (await fs.stat(path)).uid === process.getuid?.();
  }
}

export interface KeptPartial {
  readonly partial: string;
  /** Milliseconds since 1970; 0 where no wish was given. */
  readonly keepUntilMs: number;
}

/** Where there was no space for a record, the lease itself stands there: it names the partial and is dated by the wish. */
export async function readKept({ fs }: Pick<LeaseParts, 'fs'>, place: PartialPlace): Promise<KeptPartial | undefined> {
  const path = keptPath(place);
  const raw = await ifPresent(fs.readFile(path, 'utf8'));
  const value = parseJson(raw ?? 'null') as Partial<KeptPartial> | null | undefined;
  if (typeof value?.partial === 'string')
    return { partial: value.partial, keepUntilMs: Number(value.keepUntilMs) || 0 };
  const lease = parseLease(raw ?? 'null');
  const stat = lease && (await ifPresent(fs.stat(path)));
  return lease && stat && { partial: lease.note, keepUntilMs: stat.mtimeMs };
}

function holdPartial(
  parts: Parts,
  place: PartialPlace,
  name: string,
  lease: Lease,
  facts: Pick<LeasedPartial, 'resumed' | 'salvage'>,
  isAlone = false,
): LeasedPartial {
  const partialPath = join(place.folder, name);
  /** The work is done, or its failure is told: what the disk refuses now changes nothing about that. */
  const end = async (work: () => Promise<void>): Promise<void> => {
    try {
      if (await lease.isMine()) await work();
      else await dropOrphans(parts, place, name);
    } catch (err) {
      parts.logger.warn({ path: partialPath, err }, 'partial not put in order');
    } finally {
      await lease.release();
    }
  };
  return {
    partialPath,
    ...facts,
    lost: lease.lost,
    async assertMine() {
      if (!(await lease.isMine())) throw new StorageError('busy', partialPath, 'another program has taken over');
    },
    release: ({ keepForMs } = {}) =>
      end(async () => {
        const keepUntilMs = keepForMs === undefined ? 0 : parts.clock.now() + keepForMs;
        if ((await ifPresent(parts.fs.stat(partialPath))) !== undefined)
          await keep(parts, keptPath(place), lease, { partial: name, keepUntilMs });
      }),
    discard: () =>
      end(async () => {
        if (isAlone) return removeOne(parts, partialPath);
        await removePartials(parts, place, () => true);
        await unlinkIfPresent(parts.fs, keptPath(place));
      }),
  };
}

async function keep(parts: Parts, path: string, lease: Lease, kept: KeptPartial): Promise<void> {
  try {
    await writeAtomically(parts.fs, path, JSON.stringify(kept));
  } catch (error) {
    if (!(error instanceof StorageError) || error.kind !== 'disk-full') throw error;
    await lease.releaseTo(path, kept.keepUntilMs);
  }
}

/** The next holder removes our partial when it is done with it; a journal that we wrote after that is ours to remove. */
async function dropOrphans(parts: Parts, place: PartialPlace, name: string): Promise<void> {
  if ((await ifPresent(parts.fs.stat(join(place.folder, name)))) !== undefined) return;
  await removePartials(parts, place, (other) => other.startsWith(name));
}

/** What a transfer keeps beside its partial. */
const BESIDE = ['.journal', '.journal.new'];

/** A partial that was published is gone, and what lay beside it with it. */
async function removeOne({ fs }: Parts, partialPath: string): Promise<void> {
  if ((await ifPresent(fs.stat(partialPath))) === undefined) return;
  for (const ending of ['', ...BESIDE]) await unlinkIfPresent(fs, partialPath + ending);
}

/** Removes partials, and after them what lies beside them: a process that still writes there then sees that its partial is gone. */
async function removePartials({ fs }: Parts, place: PartialPlace, isMeant: (name: string) => boolean): Promise<void> {
  for (const isPartial of [true, false])
    for (const name of await fs.readdir(place.folder)) {
      const ending = endingOf(place, name);
      if (ending !== undefined && (ending === '') === isPartial && isMeant(name))
        await unlinkIfPresent(fs, join(place.folder, name));
    }
}
