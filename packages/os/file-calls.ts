import { close, fchmod, fdatasync, fstat, ftruncate, open, promises, read, write, type Stats } from 'node:fs';
import { promisify } from 'node:util';

/**
 * Calls on a file by the number of its descriptor, for the bytes of a transfer: the same calls of a `FileHandle` cost a tenth more
 * CPU at 256 KiB and a third more at 4 KiB (Node 20.20).
 */
export interface DescriptorCalls {
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
}

/** Every call to the file system that our files are made by; each rejects with the error of the system. Tests hand in others that record or fail. */
export interface FileCalls extends Pick<
  typeof promises,
  | 'chmod'
  | 'copyFile'
  | 'link'
  | 'lstat'
  | 'mkdir'
  | 'open'
  | 'readFile'
  | 'readdir'
  | 'realpath'
  | 'rename'
  | 'rmdir'
  | 'stat'
  | 'statfs'
  | 'symlink'
  | 'unlink'
  | 'utimes'
  | 'writeFile'
> {
  readonly descriptors: DescriptorCalls;
}

const readFd = promisify(read);

export const nodeFiles: FileCalls = {
  ...promises,
  descriptors: {
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
  },
};
