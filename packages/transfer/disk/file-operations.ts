import { constants } from 'node:fs';
import { dirname } from 'node:path';
import { codeOf } from '#core/error-facts';
import { StorageError } from '#core/failure';
import { isAbsent } from '#os/if-present';
import { hasNoFolderSync } from '#os/sync';
import { nodeDiskCalls, type DiskCalls } from './disk-calls.ts';

/** An open file with positioned reads and writes. */
export interface OpenFile {
  /** For a thread of this process that reads the same file; undefined without a descriptor. */
  readonly descriptor: number | undefined;
  readonly sizeBytes: number;
  /** @returns bytes read; 0 at the end of the file */
  read(buffer: Uint8Array, position: number): Promise<number>;
  /** @returns bytes written, possibly fewer than given */
  write(buffer: Uint8Array, position: number): Promise<number>;
  truncate(sizeBytes: number): Promise<void>;
  datasync(): Promise<void>;
  close(): Promise<void>;
}

/** All disk operations of a transfer. Tests wrap it to inject faults. */
export interface FileOperations {
  /**
   * Opens a partial for reading and writing; creates it (0600, O_EXCL) if there is none. Links are never followed. Anything that is not
   * a regular file with one link is removed and created again.
   */
  openPrivate(path: string): Promise<OpenFile>;
  /** @returns undefined when there is no such regular file */
  openForReading(path: string): Promise<OpenFile | undefined>;
  /** Reads a small file; undefined when it does not exist or is longer than `maxBytes`. */
  readSmall(path: string, maxBytes: number): Promise<Uint8Array | undefined>;
  /** Replaces a small file atomically and durably: temporary file, fdatasync, rename, fsync of the folder. */
  replaceSmall(path: string, bytes: Uint8Array): Promise<void>;
  /** Removes a file if it exists, durably. */
  remove(path: string): Promise<void>;
  /** Bytes that an unprivileged user may still write in the file system of the folder. */
  freeBytes(folder: string): Promise<number>;
}

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_RDONLY, O_RDWR, O_TRUNC } = constants;

/** The operations on the given system calls. */
export function fileOperationsOn(calls: DiskCalls): FileOperations {
  return {
    async openPrivate(path) {
      const existing = await openIfThere(calls, path, O_RDWR | O_NOFOLLOW);
      if (existing !== undefined) {
        const facts = await calls.stat(existing);
        if (facts.isFile() && facts.nlink === 1) return openFile(calls, existing, facts.size);
        await calls.close(existing);
        await calls.remove(path);
      }
      return openFile(calls, await calls.open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600), 0);
    },
    async openForReading(path) {
      const descriptor = await openIfThere(calls, path, O_RDONLY | O_NOFOLLOW);
      if (descriptor === undefined) return undefined;
      const facts = await calls.stat(descriptor);
      if (facts.isFile()) return openFile(calls, descriptor, facts.size);
      await calls.close(descriptor);
      return undefined;
    },
    async readSmall(path, maxBytes) {
      try {
        const bytes = await calls.readFile(path);
        return bytes.length > maxBytes ? undefined : bytes;
      } catch (error) {
        if (codeOf(error) === 'ENOENT') return undefined;
        throw error;
      }
    },
    async replaceSmall(path, bytes) {
      const temporary = `${path}.new`;
      const descriptor = await calls.open(temporary, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW, 0o600);
      const file = openFile(calls, descriptor, 0);
      try {
        await writeFully(file, bytes, 0);
        await file.datasync();
      } finally {
        await file.close();
      }
      await calls.rename(temporary, path);
      await syncFolderOf(calls, path);
    },
    async remove(path) {
      await calls.remove(path);
      await syncFolderOf(calls, path);
    },
    freeBytes: (folder) => calls.freeBytes(folder),
  };
}

export const nodeFileOperations: FileOperations = fileOperationsOn(nodeDiskCalls);

/**
 * Writes all of the bytes at the position. A nearly full disk may write fewer bytes than asked without an error, so the rest is written
 * again until the disk reports the error.
 */
export async function writeFully(file: OpenFile, bytes: Uint8Array, position: number): Promise<void> {
  let done = await file.write(bytes, position);
  while (done < bytes.length) {
    const written = await file.write(bytes.subarray(done), position + done);
    if (written === 0) throw new StorageError('io', '', 'the disk wrote no bytes and reported no error');
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

/** Syncs the folder of a file, if the file system supports that and the folder exists. */
async function syncFolderOf(calls: DiskCalls, path: string): Promise<void> {
  try {
    const folder = await calls.open(dirname(path), O_RDONLY);
    try {
      await calls.sync(folder);
    } finally {
      await calls.close(folder);
    }
  } catch (error) {
    if (!hasNoFolderSync(error) && !isAbsent(error)) throw error;
  }
}

/** A link fails with ELOOP because of O_NOFOLLOW. It is not our file: a partial in its place is created again. */
async function openIfThere(calls: DiskCalls, path: string, flags: number): Promise<number | undefined> {
  try {
    return await calls.open(path, flags);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    if (codeOf(error) === 'EACCES' && (flags & O_RDWR) !== 0) return openReadOnly(calls, path, flags, error);
    if (codeOf(error) !== 'ELOOP') throw error;
    if ((flags & O_RDWR) !== 0) await calls.remove(path);
    return undefined;
  }
}

/** A crash during publishing leaves the partial read-only under its own name: make it writable again. */
async function openReadOnly(calls: DiskCalls, path: string, flags: number, refused: unknown): Promise<number> {
  const descriptor = await calls.open(path, O_RDONLY | O_NOFOLLOW);
  try {
    const facts = await calls.stat(descriptor);
    if (!facts.isFile() || facts.nlink !== 1) throw refused;
    await calls.chmod(descriptor, 0o600);
  } finally {
    await calls.close(descriptor);
  }
  return calls.open(path, flags);
}

function openFile(calls: DiskCalls, descriptor: number, sizeBytes: number): OpenFile {
  let isOpen = true;
  return {
    descriptor,
    sizeBytes,
    read: (buffer, position) => calls.read(descriptor, buffer, position),
    write: (buffer, position) => calls.write(descriptor, buffer, position),
    truncate: (size) => calls.truncate(descriptor, size),
    datasync: () => calls.datasync(descriptor),
    async close() {
      if (!isOpen) return;
      isOpen = false;
      await calls.close(descriptor);
    },
  };
}
