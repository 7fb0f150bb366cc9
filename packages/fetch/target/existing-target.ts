import { createReadStream, type Stats } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { canonicalCid } from '#content/cid/canonical-cid';
import { compareDigests } from '#content/digest/digests';
import { createFileDigester } from '#content/digest/file-digester';
import type { DigestAlgorithm, Digests } from '#core/file-spec';
import { MIB } from '#core/units';
import { likelyProfile } from '../likely-profile.ts';

/** A proven file at the target. */
export interface ExistingTarget {
  readonly sizeBytes: number;
  readonly digests: Digests;
  /** The requested CID, where the bytes lead to it. */
  readonly cid: string | undefined;
}

export interface ExpectedTarget {
  readonly sizeBytes?: number | undefined;
  readonly digests: Digests;
  /** As the user wrote it. */
  readonly cid?: string | undefined;
}

/**
 * Checks the file at the target. A file that hashes to the wanted digests, or leads to the wanted CID when it is cut by the likely
 * profile, needs no request.
 *
 * @returns undefined when there is no file, it has another size or digest, or neither a digest nor a CID is given
 */
export async function provenTarget(
  target: string,
  expected: ExpectedTarget,
  signal: AbortSignal,
): Promise<ExistingTarget | undefined> {
  const named = Object.keys(expected.digests) as DigestAlgorithm[];
  const dagProfile = expected.cid === undefined ? undefined : likelyProfile(expected.cid);
  if (named.length === 0 && dagProfile === undefined) return undefined;
  const found = await fileAt(target, expected.sizeBytes);
  if (found === undefined) return undefined;
  const digester = createFileDigester({
    algorithms: [...new Set<DigestAlgorithm>(['sha256', ...named])],
    dagProfile,
    sizeBytes: found.size,
  });
  for await (const chunk of createReadStream(target, { highWaterMark: MIB })) {
    signal.throwIfAborted();
    digester.update(chunk as Buffer);
  }
  const { digests, dag } = digester.finish();
  if (compareDigests(expected.digests, digests) !== undefined) return undefined;
  const cid = expected.cid !== undefined && dag?.cid === canonicalCid(expected.cid) ? dag.cid : undefined;
  return named.length === 0 && cid === undefined ? undefined : { sizeBytes: found.size, digests, cid };
}

/** @returns undefined also for a file that cannot be looked at: the transfer reports why */
async function fileAt(target: string, sizeBytes: number | undefined): Promise<Stats | undefined> {
  const found = await stat(target).catch(() => undefined);
  return found?.isFile() && (sizeBytes === undefined || found.size === sizeBytes) ? found : undefined;
}

/** The file at the target, or the one that a link there leads to: its leaves may be right. It is only read. */
export async function oldBytesAt(target: string): Promise<string[]> {
  try {
    return (await stat(target)).isFile() ? [await realpath(target)] : [];
  } catch {
    return []; // an unreadable file has no leaves to reuse
  }
}
