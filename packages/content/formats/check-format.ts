import { open, type FileHandle } from 'node:fs/promises';
import { ggufProblem } from './gguf.ts';
import { magicProblem } from './magic.ts';
import { onnxProblem } from './onnx.ts';
import type { ReadAt } from './read-at.ts';
import { safetensorsProblem } from './safetensors.ts';

/** Formats whose header shows whether a file is what its name says. */
export const FILE_FORMATS = ['onnx', 'safetensors', 'gguf', 'gzip', 'zstd', 'tar', 'zip'] as const;

export type FileFormat = (typeof FILE_FORMATS)[number];

const EXTENSIONS: Readonly<Record<string, FileFormat>> = {
  onnx: 'onnx',
  safetensors: 'safetensors',
  gguf: 'gguf',
  gz: 'gzip',
  tgz: 'gzip',
  zst: 'zstd',
  tzst: 'zstd',
  tar: 'tar',
  zip: 'zip',
};

/** @returns the format that a file's last extension promises, or undefined when it promises none that we know */
export function guessFormat(path: string): FileFormat | undefined {
  const extension = /\.([a-z0-9]+)$/i.exec(path)?.[1]?.toLowerCase() ?? '';
  return Object.hasOwn(EXTENSIONS, extension) ? EXTENSIONS[extension] : undefined;
}

/**
 * Looks at a file's header only; digests prove the rest.
 *
 * @param file a path, or an open handle that stays open and keeps its position
 * @param sizeBytes length of the whole file
 * @returns why the file cannot be of that format, or undefined when it can
 * @throws the error of the system when the file cannot be read
 */
export async function checkFormat(
  file: string | FileHandle,
  sizeBytes: number,
  format: FileFormat,
): Promise<string | undefined> {
  if (typeof file !== 'string') return headerProblem(readerOf(file), sizeBytes, format);
  const handle = await open(file, 'r');
  try {
    return await headerProblem(readerOf(handle), sizeBytes, format);
  } finally {
    await handle.close();
  }
}

const readerOf =
  (handle: FileHandle): ReadAt =>
  async (position, length) => {
    const buffer = new Uint8Array(length);
    let done = 0;
    while (done < length) {
      const { bytesRead } = await handle.read(buffer, done, length - done, position + done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return buffer.subarray(0, done);
  };

async function headerProblem(readAt: ReadAt, sizeBytes: number, format: FileFormat): Promise<string | undefined> {
  switch (format) {
    case 'onnx':
      return onnxProblem(readAt, sizeBytes);
    case 'safetensors':
      return safetensorsProblem(readAt, sizeBytes);
    case 'gguf':
      return ggufProblem(readAt, sizeBytes);
    case 'gzip':
    case 'zstd':
    case 'tar':
    case 'zip':
      return magicProblem(readAt, sizeBytes, format);
  }
}
