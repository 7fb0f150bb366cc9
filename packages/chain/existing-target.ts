import { stat } from 'node:fs/promises';
import { compareDigests, digestFile } from '#content/digests';
import type { DigestAlgorithm, Digests } from '#core/file-spec';

/** A file that is at the target already. */
export interface ExistingTarget {
  readonly sizeBytes: number;
  readonly digests: Digests;
}

/**
 * Looks at what is at the target: a file that hashes to the wanted digests needs no request at all.
 *
 * @returns undefined when there is none, it has another size, or nothing says what it should hash to
 */
export async function provenTarget(
  target: string,
  expected: { readonly sizeBytes?: number | undefined; readonly digests: Digests },
  signal: AbortSignal,
): Promise<ExistingTarget | undefined> {
  const algorithms = Object.keys(expected.digests) as DigestAlgorithm[];
  if (algorithms.length === 0) return undefined;
  const found = await stat(target).catch(() => undefined); // whatever hides it, the transfer will say
  if (!found?.isFile() || (expected.sizeBytes !== undefined && found.size !== expected.sizeBytes)) return undefined;
  const { digests } = await digestFile(target, [...new Set<DigestAlgorithm>(['sha256', ...algorithms])], { signal });
  return compareDigests(expected.digests, digests) === undefined ? { sizeBytes: found.size, digests } : undefined;
}
