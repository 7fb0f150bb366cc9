import { createHash, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { StorageError } from '#core/failure';
import { DIGEST_ALGORITHMS, type FileSpec } from '#core/file-spec';
import { parseJson } from '#core/parse-json';
import { ifPresent } from '#os/if-present';
import { unlinkIfPresent, writeAtomically } from '#os/write-file';
import type { StoreContext } from './context.ts';
import {
  parseLease,
  tryLease,
  type Lease,
  type LeaseOutcome,
  type LeaseRecord,
  type Observation,
} from '#os/lease-file';

/** The right to write one content's partial on this host. */
export interface PartialLease {
  /** Where the transfer writes. Its journal stands beside, with this path as the beginning of its name. */
  readonly partialPath: string;
  /** True when an earlier attempt left this very partial and nobody else can have it open. */
  readonly resumed: boolean;
  /** Partials of holders that may still write to them: good leaves are copied out of these, they are never published (HD7). */
  readonly salvage: readonly string[];
  /** Aborted when another process took over: stop writing. */
  readonly lost: AbortSignal;
  /** Ends the attempt and keeps the partial for the next one; the sweep spares it for `keepForMs` (RE10). */
  release(options?: { readonly keepForMs?: number }): Promise<void>;
  /** Ends the attempt and removes what is left of it: after a publish, or a cancel. */
  discard(): Promise<void>;
}

export interface LeasePartialOptions<Found> {
  /** Asked again whenever the holder may have finished: what it finds ends the wait (CH8). */
  readonly find: () => Promise<Found | undefined>;
  readonly signal?: AbortSignal | undefined;
  /** Told once when somebody else is at it, for logs and status (HD9: who, and since when). */
  readonly onWaiting?: ((heldBy: LeaseRecord | undefined) => void) | undefined;
  readonly pollMs?: number | undefined;
  readonly ttlMs?: number | undefined;
}

export type PartialOutcome<Found> = { readonly found: Found } | { readonly partial: PartialLease };

const POLL_MS = 250;

/** A name for the content of a file that is the same in every attempt, also where nothing proves it. */
export function contentKey(spec: FileSpec): string {
  for (const algorithm of DIGEST_ALGORITHMS) {
    const value = spec.digests[algorithm];
    if (value !== undefined) return algorithm === 'sha256' ? value : `${algorithm}-${value}`;
  }
  const identity = spec.cid ?? JSON.stringify([spec.path, spec.sizeBytes ?? null, spec.sources]);
  return `${spec.cid === undefined ? 'unproven' : 'cid'}-${createHash('sha256').update(identity).digest('hex')}`;
}

/**
 * Single flight per content across the processes of a host (CH8): the first asker gets the partial, the others wait and get
 * what it published; when it fails or dies, one of them goes on with its partial.
 *
 * @throws StorageError; the signal's reason when it is aborted while waiting
 */
export async function leasePartial<Found>(
  context: StoreContext,
  key: string,
  options: LeasePartialOptions<Found>,
): Promise<PartialOutcome<Found>> {
  if (!/^[a-z0-9-]{1,200}$/.test(key)) throw new RangeError(`content key ${JSON.stringify(key)} is not of contentKey`);
  await context.fs.mkdir(context.paths.partials, { recursive: true, mode: 0o700 });
  const fresh = `${key}.${randomBytes(4).toString('hex')}.part`;
  let observation: Observation | undefined;
  for (;;) {
    options.signal?.throwIfAborted();
    const outcome = await tryLease(context, leasePath(context, key), fresh, observation, options.ttlMs);
    const found = await options.find().catch(async (error: unknown) => {
      if ('lease' in outcome) await outcome.lease.release();
      throw error;
    });
    if (found !== undefined) {
      if ('lease' in outcome) await outcome.lease.release();
      return { found };
    }
    if ('lease' in outcome) return { partial: await takePartial(context, key, fresh, outcome) };
    if (observation === undefined) options.onWaiting?.(outcome.heldBy);
    observation = outcome.observation;
    await context.clock.wait(options.pollMs ?? POLL_MS, options.signal);
  }
}

export const leasePath = (context: StoreContext, key: string): string => join(context.paths.partials, `${key}.lease`);
const keptPath = (context: StoreContext, key: string): string => join(context.paths.partials, `${key}.kept.json`);

type Taken = Extract<LeaseOutcome, { readonly lease: Lease }>;

async function takePartial(context: StoreContext, key: string, fresh: string, taken: Taken): Promise<PartialLease> {
  try {
    const left = await partialsOf(context, key);
    const adopted = await cleanlyLeft(context, key, left, taken);
    if (adopted !== undefined) await taken.lease.tell(adopted);
    await unlinkIfPresent(context.fs, keptPath(context, key));
    const name = adopted ?? fresh;
    const salvage = left.filter((other) => other !== name).map((other) => join(context.paths.partials, other));
    return holdPartial(context, key, name, taken.lease, { resumed: adopted !== undefined, salvage });
  } catch (error) {
    await taken.lease.release();
    throw StorageError.from(error, leasePath(context, key));
  }
}

/** A partial that its holder gave back, or whose holder is proven gone. Any other may still be open for writing somewhere. */
async function cleanlyLeft(
  context: StoreContext,
  key: string,
  left: readonly string[],
  taken: Taken,
): Promise<string | undefined> {
  const kept = (await readKept(context, key))?.partial;
  if (kept !== undefined && left.includes(kept)) return kept;
  const note = taken.displacedIsGone ? taken.displaced?.note : undefined;
  return note !== undefined && left.includes(note) ? note : undefined;
}

async function partialsOf(context: StoreContext, key: string): Promise<string[]> {
  const names = await context.fs.readdir(context.paths.partials);
  return names.filter((name) => name.startsWith(`${key}.`) && name.endsWith('.part')).sort();
}

export interface KeptPartial {
  readonly partial: string;
  /** Milliseconds since 1970; 0 where no wish was given. */
  readonly keepUntilMs: number;
}

/** Where there was no space for a record, the lease itself stands there: it names the partial and is dated by the wish. */
export async function readKept(context: StoreContext, key: string): Promise<KeptPartial | undefined> {
  const path = keptPath(context, key);
  const raw = await ifPresent(context.fs.readFile(path, 'utf8'));
  const value = parseJson(raw ?? 'null') as Partial<KeptPartial> | null | undefined;
  if (typeof value?.partial === 'string')
    return { partial: value.partial, keepUntilMs: Number(value.keepUntilMs) || 0 };
  const lease = parseLease(raw ?? 'null');
  const stat = lease && (await ifPresent(context.fs.stat(path)));
  return lease && stat && { partial: lease.note, keepUntilMs: stat.mtimeMs };
}

function holdPartial(
  context: StoreContext,
  key: string,
  name: string,
  lease: Lease,
  facts: Pick<PartialLease, 'resumed' | 'salvage'>,
): PartialLease {
  const partialPath = join(context.paths.partials, name);
  return {
    partialPath,
    ...facts,
    lost: lease.lost,
    async release(options = {}) {
      const keepUntilMs = options.keepForMs === undefined ? 0 : context.clock.now() + options.keepForMs;
      const path = keptPath(context, key);
      try {
        if (await lease.isMine())
          await writeAtomically(context.fs, path, JSON.stringify({ partial: name, keepUntilMs }));
      } catch (error) {
        if (StorageError.from(error, path).kind !== 'disk-full') throw error;
        await lease.releaseTo(path, keepUntilMs);
      } finally {
        await lease.release();
      }
    },
    async discard() {
      if (await lease.isMine()) {
        await removePartial(context, name);
        for (const path of facts.salvage) await removePartial(context, path.slice(context.paths.partials.length + 1));
      }
      await lease.release();
    },
  };
}

/** Removes a partial and everything beside it that carries its name. */
async function removePartial(context: StoreContext, name: string): Promise<void> {
  for (const sibling of await context.fs.readdir(context.paths.partials))
    if (sibling.startsWith(name)) await unlinkIfPresent(context.fs, join(context.paths.partials, sibling));
}
