import { createHash } from 'node:crypto';
import { DIGEST_ALGORITHMS, type FileSpec } from '#core/file-spec';
import * as leased from '#os/lease/leased-partial';
import type { StoreContext } from '../context.ts';

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
 * Single flight per content across the processes of a host: the first asker gets the partial, the others wait and get
 * what it published; when it fails or dies, one of them goes on with its partial.
 *
 * @throws StorageError; the signal's reason when it is aborted while waiting
 */
export async function leaseContent<Found>(
  context: StoreContext,
  key: string,
  options: leased.LeasePartialOptions<Found>,
): Promise<leased.PartialOutcome<Found>> {
  if (!/^[a-z0-9-]{1,200}$/.test(key)) throw new RangeError(`content key ${JSON.stringify(key)} is not of contentKey`);
  await context.fs.mkdir(context.paths.partials, { recursive: true, mode: 0o700 });
  return leased.leasePartial(context, placeOf(context, key), options);
}

export const contentLeasePath = (context: StoreContext, key: string): string => leased.leasePath(placeOf(context, key));

/** What the last holder of the content's partial wished for it. */
export const readKeptContent = (context: StoreContext, key: string): Promise<leased.KeptPartial | undefined> =>
  leased.readKept(context, placeOf(context, key));

const placeOf = ({ paths }: StoreContext, key: string): leased.PartialPlace => ({ folder: paths.partials, key });
