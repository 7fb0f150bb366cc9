import { createHash, type Hash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { DIGEST_ALGORITHMS, type DigestAlgorithm, type Digests } from '#core/file-spec';
import { MIB } from '#core/units';

/** Digests of one file while its bytes pass by, in order. */
export interface RunningDigests {
  update(bytes: Uint8Array): void;
  /** Ends the file. @throws RangeError when `git` is wanted and the length was not the one announced */
  finish(): { readonly digests: Digests; readonly sizeBytes: number };
}

export interface DigestOptions {
  /** Exact length of the file; needed for `git`, whose hash begins with it. */
  readonly sizeBytes?: number | undefined;
}

/**
 * Starts one hash per algorithm, repeated ones once.
 *
 * @throws RangeError when `git` is wanted without `sizeBytes`
 */
export function startDigests(algorithms: readonly DigestAlgorithm[], options: DigestOptions = {}): RunningDigests {
  const hashes = new Map<DigestAlgorithm, Hash>();
  for (const algorithm of algorithms) hashes.set(algorithm, startHash(algorithm, options.sizeBytes));
  let seenBytes = 0;
  return {
    update(bytes) {
      seenBytes += bytes.length;
      for (const hash of hashes.values()) hash.update(bytes);
    },
    finish() {
      if (hashes.has('git') && seenBytes !== options.sizeBytes)
        throw new RangeError(`git: ${options.sizeBytes} bytes were announced and ${seenBytes} came`);
      const digests = Object.fromEntries([...hashes].map(([algorithm, hash]) => [algorithm, hash.digest('hex')]));
      return { digests, sizeBytes: seenBytes };
    },
  };
}

/** A git blob's name is the SHA-1 of `blob <length>\0` and its bytes. */
function startHash(algorithm: DigestAlgorithm, sizeBytes: number | undefined): Hash {
  if (algorithm !== 'git') return createHash(algorithm);
  if (sizeBytes === undefined)
    throw new RangeError('sizeBytes is missing: a git digest begins with the length of the file');
  return createHash('sha1').update(`blob ${sizeBytes}\0`);
}

export interface DigestFileOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called after each read with the bytes hashed so far. */
  readonly onProgress?: ((doneBytes: number, sizeBytes: number) => void) | undefined;
}

/**
 * Hashes a file on disk in one pass, 1 MiB at a time.
 *
 * @throws the errors of Node's fs, and the reason of the signal
 */
export async function digestFile(
  path: string,
  algorithms: readonly DigestAlgorithm[],
  { signal, onProgress }: DigestFileOptions = {},
): Promise<{ readonly digests: Digests; readonly sizeBytes: number }> {
  const file = await open(path, 'r');
  try {
    const { size: sizeBytes } = await file.stat();
    const running = startDigests(algorithms, { sizeBytes });
    const buffer = Buffer.allocUnsafe(MIB);
    let doneBytes = 0;
    for (;;) {
      signal?.throwIfAborted();
      const { bytesRead } = await file.read(buffer, 0, MIB, null);
      if (bytesRead === 0) return running.finish();
      running.update(buffer.subarray(0, bytesRead));
      doneBytes += bytesRead;
      onProgress?.(doneBytes, sizeBytes);
    }
  } finally {
    await file.close();
  }
}

export interface DigestMismatch {
  readonly algorithm: DigestAlgorithm;
  readonly expected: string;
  /** undefined when it was not computed: it proves nothing then. */
  readonly actual: string | undefined;
}

/** @returns the first digest that differs, the strongest algorithm first; undefined when all that are expected agree. */
export function compareDigests(expected: Digests, actual: Digests): DigestMismatch | undefined {
  for (const algorithm of DIGEST_ALGORITHMS) {
    const wanted = expected[algorithm]?.toLowerCase();
    if (wanted !== undefined && wanted !== actual[algorithm])
      return { algorithm, expected: wanted, actual: actual[algorithm] };
  }
  return undefined;
}
