import { createFileDigester, type DigestedFile } from '#content/digest/file-digester';
import type { DagProfile } from '#content/dag/dag-builder';
import type { DigestAlgorithm } from '#core/file-spec';
import { StorageError } from '#core/failure';
import { MIB } from '#core/units';
import { readFully, type OpenFile } from '../disk/file-operations.ts';

/** What to compute of a whole file, in one pass. */
export interface DigestPlan {
  readonly sizeBytes: number;
  readonly algorithms: readonly DigestAlgorithm[];
  readonly dagProfile: DagProfile | undefined;
}

/** Hashes a growing file in order, behind the frontier of what is committed. */
export interface FileDigest {
  /** Accepted bytes that are still in memory; used only if they are the next in order. */
  offer(position: number, bytes: Uint8Array): void;
  /** All bytes before the position are on the disk. */
  advance(frontierBytes: number): void;
  /** Resolves with the digests of the whole file; reads the bytes that were not hashed yet. */
  finish(): Promise<DigestedFile>;
  /** Resolves when the file is not read any more and may be closed. */
  stop(): Promise<void>;
}

const READ_BYTES = MIB;
/** During the transfer, the digest reads from the disk only after it has fallen behind by this much. */
const CATCH_UP_BYTES = 8 * MIB;

/** Hashes in the calling thread: for small files, and when no core is free. */
export function inlineDigest(file: OpenFile, path: string, plan: DigestPlan): FileDigest {
  const hash = createFileDigester(plan);
  let hashedBytes = 0;
  let frontier = 0;
  let catchingUp: Promise<void> | undefined;
  let isStopped = false;

  const catchUp = async (): Promise<void> => {
    const buffer = Buffer.allocUnsafe(Math.min(READ_BYTES, plan.sizeBytes));
    while (hashedBytes < frontier && !isStopped) {
      const wanted = buffer.subarray(0, Math.min(buffer.length, frontier - hashedBytes));
      const count = await readFully(file, wanted, hashedBytes);
      if (count < wanted.length) throw new StorageError('io', path, `the partial ends at ${hashedBytes + count}`);
      hash.update(wanted);
      hashedBytes += count;
    }
  };

  return {
    offer(position, bytes) {
      if (position !== hashedBytes || catchingUp !== undefined) return;
      hash.update(bytes);
      hashedBytes += bytes.length;
    },
    advance(frontierBytes) {
      frontier = Math.max(frontier, frontierBytes);
      if (catchingUp !== undefined || frontier - hashedBytes < CATCH_UP_BYTES) return;
      // `finish` reads the same bytes again and reports the error.
      catchingUp = catchUp().then(
        () => void (catchingUp = undefined),
        () => void (catchingUp = undefined),
      );
    },
    async finish() {
      await catchingUp;
      frontier = plan.sizeBytes;
      const rest = catchUp();
      catchingUp = rest.catch(() => undefined);
      try {
        await rest;
      } catch (error) {
        throw StorageError.from(error, path);
      }
      return hash.finish();
    },
    async stop() {
      isStopped = true;
      await catchingUp;
    },
  };
}
