import { createHash } from 'node:crypto';
import type { Stats } from 'node:fs';
import { checkFormat, guessFormat, type FileFormat } from '#content/formats/check-format';
import { StorageError } from '#core/failure';
import { ifPresent } from '#os/if-present';
import { readFacts, writeFacts, type BlobFacts } from './blob-facts.ts';
import type { StoreContext } from '../context.ts';
import { blobPath } from '../layout.ts';

export type InvalidReason = 'missing' | 'wrong-size' | 'wrong-digest' | 'wrong-format';

export type BlobCheck =
  | { readonly state: 'valid'; readonly sizeBytes: number; readonly verifiedAt: number; readonly hashedBytes: number }
  | InvalidBlob;

export interface InvalidBlob {
  readonly state: 'invalid';
  readonly reason: InvalidReason;
  readonly message: string;
  /** Which file was looked at: a good one may have taken its place since. */
  readonly inode: number | undefined;
}

export interface CheckOptions {
  /** `full` hashes in any case; `fast` trusts size, mtime and inode once the content was proven since the start. */
  readonly depth: 'fast' | 'full';
  /** The exact size that the manifest says. */
  readonly sizeBytes?: number | undefined;
  readonly minBytes?: number | undefined;
  /** The path in the model; its extension promises a format. */
  readonly path?: string | undefined;
  readonly format?: FileFormat | undefined;
  /** Another name of the content, to be remembered with the proof when the facts are lost. */
  readonly knownCid?: string | undefined;
  /** Awaited after each block that was hashed: throttles, or throws to stop. */
  readonly pace?: ((bytes: number) => void | Promise<void>) | undefined;
}

const READ_BYTES = 1024 * 1024;

/**
 * Checks one blob in this order: size, then SHA-256, then format. Changes nothing but the time of the proof.
 *
 * @throws StorageError when the disk cannot be read: that says nothing about the content
 */
export async function checkBlob(context: StoreContext, sha256: string, options: CheckOptions): Promise<BlobCheck> {
  const blob = blobPath(context.paths, sha256);
  try {
    const stat = await ifPresent(context.fs.stat(blob));
    if (stat === undefined) return invalid('missing', 'the file is gone', undefined);
    const facts = await readFacts(context, sha256);
    const sizeProblem = wrongSize(stat.size, options, facts?.sizeBytes);
    if (sizeProblem !== undefined) return invalid('wrong-size', sizeProblem, stat.ino);
    const trusted = options.depth === 'fast' && facts !== undefined && isUnchanged(context, stat, facts);
    if (!trusted) {
      const digestProblem = await wrongDigest(context, sha256, options.pace);
      if (digestProblem !== undefined) return invalid('wrong-digest', digestProblem, stat.ino);
    }
    const problem = await formatProblem(blob, stat.size, options);
    if (problem !== undefined) return invalid('wrong-format', problem, stat.ino);
    if (trusted) return { state: 'valid', sizeBytes: stat.size, verifiedAt: facts.verifiedAt, hashedBytes: 0 };
    const verifiedAt = await rememberProof(context, sha256, stat, facts, options.knownCid);
    return { state: 'valid', sizeBytes: stat.size, verifiedAt, hashedBytes: stat.size };
  } catch (error) {
    throw StorageError.from(error, blob);
  }
}

const invalid = (reason: InvalidReason, message: string, inode: number | undefined): BlobCheck => ({
  state: 'invalid',
  reason,
  message,
  inode,
});

/** The same inode with the same mtime as at the last proof, and a proof since this process started. */
export const isUnchanged = (context: StoreContext, stat: Stats, facts: BlobFacts): boolean =>
  context.provenThisRun.has(facts.sha256) && stat.ino === facts.inode && Math.abs(stat.mtimeMs - facts.mtimeMs) < 2;

async function wrongDigest(
  context: StoreContext,
  sha256: string,
  pace: CheckOptions['pace'],
): Promise<string | undefined> {
  const actual = await hashFile(context, blobPath(context.paths, sha256), pace);
  if (actual === sha256) return undefined;
  context.provenThisRun.delete(sha256);
  return `its SHA-256 is ${actual}, not ${sha256}`;
}

async function rememberProof(
  context: StoreContext,
  sha256: string,
  stat: Stats,
  facts: BlobFacts | undefined,
  knownCid: string | undefined,
): Promise<number> {
  const verifiedAt = context.clock.now();
  const identity = { sha256, sizeBytes: stat.size, verifiedAt, mtimeMs: stat.mtimeMs, inode: stat.ino };
  await writeFacts(context, { cid: knownCid, ...facts, digests: facts?.digests ?? {}, ...identity });
  context.provenThisRun.add(sha256);
  return verifiedAt;
}

/** The size of an earlier proof counts too: content with one SHA-256 has one size. */
function wrongSize(actual: number, options: CheckOptions, provenBytes: number | undefined): string | undefined {
  const expected = options.sizeBytes ?? provenBytes;
  if (expected !== undefined && actual !== expected) return `it has ${actual} bytes, not ${expected}`;
  if (options.minBytes !== undefined && actual < options.minBytes)
    return `it has ${actual} bytes, fewer than ${options.minBytes}`;
  return undefined;
}

async function formatProblem(blob: string, sizeBytes: number, options: CheckOptions): Promise<string | undefined> {
  const format = options.format ?? guessFormat(options.path ?? '');
  if (format === undefined) return undefined;
  const problem = await checkFormat(blob, sizeBytes, format);
  return problem === undefined ? undefined : `it is not ${format}: it ${problem}`;
}

/** @returns lower-case hex of the file's SHA-256 */
export async function hashFile(
  context: StoreContext,
  path: string,
  pace: CheckOptions['pace'] = undefined,
): Promise<string> {
  const hash = createHash('sha256');
  const handle = await context.fs.open(path, 'r');
  try {
    const { size } = await handle.stat();
    const buffer = Buffer.allocUnsafe(Math.min(READ_BYTES, size + 1));
    for (;;) {
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, null);
      if (bytesRead === 0) return hash.digest('hex');
      hash.update(buffer.subarray(0, bytesRead));
      await pace?.(bytesRead);
    }
  } finally {
    await handle.close();
  }
}
