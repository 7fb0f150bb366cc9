import { createCipheriv, createHash } from 'node:crypto';

const STEP_BYTES = 1024 * 1024;

/**
 * Bytes that look random and are the same on every machine: the ChaCha20 keystream of a seed, the way Kubo's own tests
 * make their files.
 */
export function* keystream(seed: string, sizeBytes: number): Generator<Buffer> {
  const cipher = createCipheriv('chacha20', createHash('sha256').update(seed).digest(), Buffer.alloc(16));
  const zeros = Buffer.alloc(STEP_BYTES);
  for (let left = sizeBytes; left > 0; left -= STEP_BYTES)
    yield cipher.update(zeros.subarray(0, Math.min(left, STEP_BYTES)));
}
