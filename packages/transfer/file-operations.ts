import { close, constants, fdatasync, fstat, ftruncate, open, read, write } from 'node:fs';
import { readFile, rename, rm, statfs } from 'node:fs/promises';
import { promisify } from 'node:util';
import { codeOf } from '#core/error-facts';
import { StorageError } from '#core/failure';

/** An open file with positioned reads and writes. */
export interface OpenFile {
  /** The descriptor, for a thread of this process that reads the same file; undefined where there is none. */
  readonly descriptor: number | undefined;
  readonly sizeBytes: number;
  /** @returns bytes read; 0 at the end of the file */
  read(buffer: Uint8Array, position: number): Promise<number>;
  /** @returns bytes written; fewer than given is legal (HD2) */
  write(buffer: Uint8Array, position: number): Promise<number>;
  truncate(sizeBytes: number): Promise<void>;
  datasync(): Promise<void>;
  close(): Promise<void>;
}

/** Everything a transfer asks of the disk. Tests wrap it to make the disk misbehave. */
export interface FileOperations {
  /**
   * Opens a partial for reading and writing, making it (0600, O_EXCL) when there is none. Links are never
   * followed; anything that is not a private regular file is unlinked and made anew (HD7, HD8).
   */
  openPrivate(path: string): Promise<OpenFile>;
  /** @returns undefined when there is no such regular file */
  openForReading(path: string): Promise<OpenFile | undefined>;
  /** Reads a small file; undefined when it does not exist or is longer than `maxBytes`. */
  readSmall(path: string, maxBytes: number): Promise<Uint8Array | undefined>;
  /** Replaces a small file in one step: temporary file, fdatasync, rename. */
  replaceSmall(path: string, bytes: Uint8Array): Promise<void>;
  /** Removes a file if it exists. */
  remove(path: string): Promise<void>;
  /** Bytes that an unprivileged user may still write in the file system of the folder. */
  freeBytes(folder: string): Promise<number>;
}

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_RDONLY, O_RDWR, O_TRUNC } = constants;
const openFd = promisify(open);
const statFd = promisify(fstat);
const readFd = promisify(read);
const closeFd = promisify(close);
const datasyncFd = promisify(fdatasync);
const truncateFd = promisify(ftruncate);

export const nodeFileOperations: FileOperations = {
  async openPrivate(path) {
    const existing = await openIfThere(path, O_RDWR | O_NOFOLLOW);
    if (existing !== undefined) {
      const facts = await statFd(existing);
      if (facts.isFile() && facts.nlink === 1) return openFile(existing, facts.size);
      await closeFd(existing);
      await rm(path);
    }
    return openFile(await openFd(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600), 0);
  },
  async openForReading(path) {
    const descriptor = await openIfThere(path, O_RDONLY | O_NOFOLLOW);
    if (descriptor === undefined) return undefined;
    const facts = await statFd(descriptor);
    if (facts.isFile()) return openFile(descriptor, facts.size);
    await closeFd(descriptor);
    return undefined;
  },
  async readSmall(path, maxBytes) {
    try {
      const bytes = await readFile(path);
      return bytes.length > maxBytes ? undefined : bytes;
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined;
      throw error;
    }
  },
  async replaceSmall(path, bytes) {
    const temporary = `${path}.new`;
    const descriptor = await openFd(temporary, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW, 0o600);
    const file = openFile(descriptor, 0);
    try {
      await writeFully(file, bytes, 0);
      await file.datasync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  },
  remove: (path) => rm(path, { force: true }),
  async freeBytes(folder) {
    const facts = await statfs(folder);
    return facts.bavail * facts.bsize;
  },
};

/**
 * Writes all of the bytes at the position. A near-full disk writes less than asked without an error (HD2), so
 * the rest is asked for again until the disk says why it refuses.
 */
export async function writeFully(file: OpenFile, bytes: Uint8Array, position: number): Promise<void> {
  let done = await file.write(bytes, position);
  while (done < bytes.length) {
    const written = await file.write(bytes.subarray(done), position + done);
    if (written === 0) throw new StorageError('io', '', 'the disk took no bytes and gave no reason');
    done += written;
  }
}

/** Reads until the buffer is full or the file ends. @returns bytes read */
export async function readFully(file: OpenFile, buffer: Uint8Array, position: number): Promise<number> {
  let done = 0;
  while (done < buffer.length) {
    const count = await file.read(done === 0 ? buffer : buffer.subarray(done), position + done);
    if (count === 0) break;
    done += count;
  }
  return done;
}

/** ELOOP is what O_NOFOLLOW says of a link: a link is not our file. */
async function openIfThere(path: string, flags: number): Promise<number | undefined> {
  try {
    return await openFd(path, flags);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    if (codeOf(error) !== 'ELOOP') throw error;
    if ((flags & O_RDWR) !== 0) await rm(path);
    return undefined;
  }
}

function openFile(descriptor: number, sizeBytes: number): OpenFile {
  let isOpen = true;
  return {
    descriptor,
    sizeBytes,
    read: async (buffer, position) => (await readFd(descriptor, buffer, 0, buffer.length, position)).bytesRead,
    write: (buffer, position) =>
      new Promise((resolve, reject) => {
        write(descriptor, buffer, 0, buffer.length, position, (error, written) =>
          error ? reject(error) : resolve(written),
        );
      }),
    truncate: (size) => truncateFd(descriptor, size),
    datasync: () => datasyncFd(descriptor),
    async close() {
      if (!isOpen) return;
      isOpen = false;
      await closeFd(descriptor);
    },
  };
}
