import { close, fchmod, fdatasync, fstat, fsync, ftruncate, open, read, write, type Stats } from 'node:fs';
import { readFile, rename, rm, statfs } from 'node:fs/promises';
import { promisify } from 'node:util';

/** System calls on the files of a transfer; each rejects with the error of the system. */
export interface DiskCalls {
  open(path: string, flags: number, mode?: number): Promise<number>;
  close(descriptor: number): Promise<void>;
  stat(descriptor: number): Promise<Stats>;
  chmod(descriptor: number, mode: number): Promise<void>;
  /** @returns bytes read; 0 at the end of the file */
  read(descriptor: number, buffer: Uint8Array, position: number): Promise<number>;
  /** @returns bytes written, possibly fewer than given */
  write(descriptor: number, buffer: Uint8Array, position: number): Promise<number>;
  truncate(descriptor: number, sizeBytes: number): Promise<void>;
  datasync(descriptor: number): Promise<void>;
  /** Also for folders, opened for reading. */
  sync(descriptor: number): Promise<void>;
  readFile(path: string): Promise<Uint8Array>;
  rename(from: string, to: string): Promise<void>;
  /** Removes a file if it exists. */
  remove(path: string): Promise<void>;
  freeBytes(folder: string): Promise<number>;
}

const readFd = promisify(read);

export const nodeDiskCalls: DiskCalls = {
  open: promisify(open),
  close: promisify(close),
  stat: promisify(fstat),
  chmod: promisify(fchmod),
  read: async (descriptor, buffer, position) =>
    (await readFd(descriptor, buffer, 0, buffer.length, position)).bytesRead,
  write: (descriptor, buffer, position) =>
    new Promise((resolve, reject) => {
      write(descriptor, buffer, 0, buffer.length, position, (error, written) =>
        error ? reject(error) : resolve(written),
      );
    }),
  truncate: promisify(ftruncate),
  datasync: promisify(fdatasync),
  sync: promisify(fsync),
  readFile,
  rename,
  remove: (path) => rm(path, { force: true }),
  async freeBytes(folder) {
    const facts = await statfs(folder);
    return facts.bavail * facts.bsize;
  },
};
