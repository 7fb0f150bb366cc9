import { createCipheriv, createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { dirname, basename } from 'node:path';
import { runCommand } from '#embedded/command';
import type { Program } from '#embedded/find-program';
import { MIB } from '#core/units';

export interface Weights {
  readonly path: string;
  readonly sizeBytes: number;
  readonly sha256: string;
}

/** Makes a file like weights in bfloat16: a random low byte, a high byte of few values. It compresses to four fifths. */
export async function makeWeights(path: string, sizeBytes: number): Promise<Weights> {
  const cipher = createCipheriv('aes-256-ctr', createHash('sha256').update('weights').digest(), Buffer.alloc(16));
  const zeros = Buffer.alloc(MIB);
  const hash = createHash('sha256');
  const file = await open(path, 'w');
  try {
    for (let at = 0; at < sizeBytes; at += MIB) {
      const bytes = cipher.update(zeros);
      for (let index = 1; index < bytes.length; index += 2) bytes[index] = 0x38 | (bytes[index]! & 0x83);
      hash.update(bytes);
      await file.write(bytes);
    }
  } finally {
    await file.close();
  }
  return { path, sizeBytes, sha256: hash.digest('hex') };
}

/** Packs one file with GNU tar and zstd. @returns the path of the archive */
export async function makeArchive(
  programs: { readonly tar: Program; readonly zstd: Program },
  weights: Weights,
  name: string,
  zstdArgs: readonly string[],
): Promise<string> {
  const archive = `${dirname(weights.path)}/${name}`;
  const compress = [programs.zstd.path, '-q', ...zstdArgs].join(' ');
  const env = { PATH: process.env['PATH'] ?? '', ...programs.zstd.env };
  await runCommand(
    programs.tar.path,
    ['-I', compress, '-cf', archive, '-C', dirname(weights.path), basename(weights.path)],
    {
      env,
    },
  );
  return archive;
}
