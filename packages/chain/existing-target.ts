import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { canonicalCid } from '#content/canonical-cid';
import { compareDigests } from '#content/digests';
import { createFileDigester } from '#content/file-digester';
import type { DigestAlgorithm, Digests } from '#core/file-spec';
import { MIB } from '#core/units';
import { likelyProfile } from './likely-profile.ts';

/** A file that is at the target already. */
export interface ExistingTarget {
  readonly sizeBytes: number;
  readonly digests: Digests;
  /** The CID that was asked for, where the bytes lead to it. */
  readonly cid: string | undefined;
}

export interface ExpectedTarget {
  readonly sizeBytes?: number | undefined;
  readonly digests: Digests;
  /** As it was written. */
  readonly cid?: string | undefined;
}

/**
 * Looks at what is at the target: a file that hashes to the wanted digests needs no request at all.
 *
 * @returns undefined when there is none, it has another size, or no digest says what it should hash to
 */
export async function provenTarget(
  target: string,
  expected: ExpectedTarget,
  signal: AbortSignal,
): Promise<ExistingTarget | undefined> {
  const named = Object.keys(expected.digests) as DigestAlgorithm[];
  if (named.length === 0) return undefined;
  const found = await stat(target).catch(() => undefined); // whatever hides it, the transfer will say
  if (!found?.isFile() || (expected.sizeBytes !== undefined && found.size !== expected.sizeBytes)) return undefined;
  const digester = createFileDigester({
    algorithms: [...new Set<DigestAlgorithm>(['sha256', ...named])],
    dagProfile: expected.cid === undefined ? undefined : likelyProfile(expected.cid),
    sizeBytes: found.size,
  });
  for await (const chunk of createReadStream(target, { highWaterMark: MIB })) {
    signal.throwIfAborted();
    digester.update(chunk as Buffer);
  }
  const { digests, dag } = digester.finish();
  if (compareDigests(expected.digests, digests) !== undefined) return undefined;
  const isOfCid = expected.cid !== undefined && dag?.cid === canonicalCid(expected.cid);
  return { sizeBytes: found.size, digests, cid: isOfCid ? dag.cid : undefined };
}
