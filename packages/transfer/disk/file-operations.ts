import { constants } from 'node:fs';
import { dirname } from 'node:path';
import { codeOf } from '#core/error-facts';
import { StorageError } from '#core/failure';
import { freeBytes } from '#os/disk-space';
import { nodeFiles, type DescriptorCalls, type FileCalls } from '#os/file-calls';
import { ifPresent } from '#os/if-present';
import { syncFolder } from '#os/sync';
import { unlinkIfPresent, writeDurably } from '#os/write-file';

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

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_RDONLY, O_RDWR } = constants;

/** A transfer's files on the given disk. */
export function fileOperationsOn(files: FileCalls): FileOperations {
  const { descriptors } = files;
  return {
    async openPrivate(path) {
      const existing = await openIfThere(files, path, O_RDWR | O_NOFOLLOW);
      if (existing !== undefined) {
        const facts = await descriptors.stat(existing);
        if (facts.isFile() && facts.nlink === 1) return openFile(descriptors, existing, facts.size);
        await descriptors.close(existing);
        await unlinkIfPresent(files, path);
      }
      const made = await descriptors.open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
      return openFile(descriptors, made, 0);
    },
    async openForReading(path) {
      const descriptor = await openIfThere(files, path, O_RDONLY | O_NOFOLLOW);
      if (descriptor === undefined) return undefined;
      const facts = await descriptors.stat(descriptor);
      if (facts.isFile()) return openFile(descriptors, descriptor, facts.size);
      await descriptors.close(descriptor);
      return undefined;
    },
    async readSmall(path, maxBytes) {
      try {
        const bytes = await files.readFile(path);
        return bytes.length > maxBytes ? undefined : bytes;
      } catch (error) {
        if (codeOf(error) === 'ENOENT') return undefined;
        throw error;
      }
    },
    replaceSmall: (path, bytes) => writeDurably(files, path, bytes, { mode: 0o600, temporary: `${path}.new` }),
    async remove(path) {
      await unlinkIfPresent(files, path);
      await ifPresent(syncFolder(files, dirname(path)));
    },
    freeBytes: (folder) => freeBytes(folder, files),
  };
}

export const nodeFileOperations: FileOperations = fileOperationsOn(nodeFiles);

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

/** ELOOP is the answer to O_NOFOLLOW for a link: a link is not our file. */
async function openIfThere(files: FileCalls, path: string, flags: number): Promise<number | undefined> {
  try {
    return await files.descriptors.open(path, flags);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    if (codeOf(error) === 'EACCES' && (flags & O_RDWR) !== 0)
      return openReadOnly(files.descriptors, path, flags, error);
    if (codeOf(error) !== 'ELOOP') throw error;
    if ((flags & O_RDWR) !== 0) await unlinkIfPresent(files, path);
    return undefined;
  }
}

/** A crash during publishing leaves the partial read-only under its own name: make it writable again. */
async function openReadOnly(calls: DescriptorCalls, path: string, flags: number, refused: unknown): Promise<number> {
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

function openFile(calls: DescriptorCalls, descriptor: number, sizeBytes: number): OpenFile {
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
