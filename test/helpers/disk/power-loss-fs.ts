import { constants, promises, readFileSync } from 'node:fs';
import { nodeFiles, type DescriptorCalls, type FileCalls } from '#os/file-calls';
import { fileOperationsOn, type FileOperations } from '#transfer/disk/file-operations';
import type { Change } from './disk-model.ts';
import { RecordedDisk, type PowerLossOptions } from './recorded-disk.ts';

type Handle = Awaited<ReturnType<FileCalls['open']>>;

/** A recorded disk as the store and a transfer use it. */
export class PowerLossFs extends RecordedDisk {
  readonly files: FileCalls;
  readonly fileOperations: FileOperations;

  constructor(root: string, options: PowerLossOptions = {}) {
    super(root, options);
    this.files = filesOn(this);
    this.fileOperations = fileOperationsOn(this.files);
  }
}

function filesOn(disk: RecordedDisk): FileCalls {
  const changing = {
    mkdir: (at: string, options?: object) =>
      disk.change(
        () => promises.mkdir(at, options),
        () => disk.madeFolders(at),
      ),
    writeFile: (at: string, data: string | Uint8Array, options?: object) =>
      disk.change(
        () => promises.writeFile(at, data, options),
        () => disk.whole(at, Buffer.from(data as string)),
      ),
    copyFile: (from: string, to: string, mode?: number) =>
      disk.change(
        () => promises.copyFile(from, to, mode),
        () => disk.whole(to, readFileSync(to)),
      ),
    link: (from: string, to: string) =>
      disk.change(
        () => promises.link(from, to),
        () => [[disk.naming(to, disk.nodeOf(from))]],
      ),
    symlink: (target: string, at: string) =>
      disk.change(
        () => promises.symlink(target, at),
        () => [[disk.newNode(at, 'link', target)]],
      ),
    rename: (from: string, to: string) => disk.rename(from, to),
    unlink: (at: string) =>
      disk.change(
        () => promises.unlink(at),
        () => [[disk.naming(at, undefined)]],
      ),
    rmdir: (at: string) =>
      disk.change(
        () => promises.rmdir(at),
        () => [[disk.naming(at, undefined)]],
      ),
    chmod: (at: string, mode: number) =>
      disk.change(
        () => promises.chmod(at, mode),
        () => disk.onNode(disk.nodeOf(at), (node) => ({ is: 'mode', node, mode })),
      ),
    utimes: (at: string, atime: Date, mtime: Date) =>
      disk.change(
        () => promises.utimes(at, atime, mtime),
        () => disk.onNode(disk.nodeOf(at), (node) => timesOf(node, atime, mtime)),
      ),
    open: (at: string, flags: string | number = 'r', mode?: number) => openHandle(disk, at, flags, mode),
  };
  return { ...promises, ...changing, descriptors: descriptorsOn(disk) } as unknown as FileCalls;
}

async function openHandle(
  disk: RecordedDisk,
  at: string,
  flags: string | number,
  mode: number | undefined,
): Promise<Handle> {
  if (!disk.isOurs(at)) return promises.open(at, flags, mode);
  const handle = await disk.change(
    () => promises.open(at, flags, mode),
    () => [disk.opened(at, truncates(flags))],
  );
  const node = disk.nodeOf(at);
  const own: Record<string, unknown> = {
    sync: () => disk.sync(node, false),
    datasync: () => disk.sync(node, true),
    writeFile: (data: string | Uint8Array) =>
      disk.change(
        () => handle.writeFile(data),
        () => [disk.written(node, Buffer.from(data as string), 0)],
      ),
    write: (bytes: Uint8Array, offset: number, length: number, position: number | null) => {
      if (position === null) throw new Error('the power-loss disk knows positioned writes only');
      return disk.change(
        () => handle.write(bytes, offset, length, position),
        ({ bytesWritten }) => [disk.written(node, bytes.subarray(offset, offset + bytesWritten), position)],
      );
    },
    chmod: (to: number) =>
      disk.change(
        () => handle.chmod(to),
        () => disk.onNode(node, (id) => ({ is: 'mode', node: id, mode: to })),
      ),
    utimes: (atime: Date, mtime: Date) =>
      disk.change(
        () => handle.utimes(atime, mtime),
        () => disk.onNode(node, (id) => timesOf(id, atime, mtime)),
      ),
  };
  return new Proxy(handle, {
    get: (target, name) => {
      const value = own[String(name)] ?? (Reflect.get(target, name) as unknown);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}

const truncates = (flags: string | number): boolean =>
  typeof flags === 'number' ? (flags & constants.O_TRUNC) !== 0 : flags.startsWith('w');

function descriptorsOn(disk: RecordedDisk): DescriptorCalls {
  const real = nodeFiles.descriptors;
  const descriptors = new Map<number, number>();
  const nodeOf = (descriptor: number): number | undefined => descriptors.get(descriptor);
  return {
    ...real,
    open: async (path, flags, mode) => {
      const descriptor = await disk.change(
        () => real.open(path, flags, mode),
        () => [disk.opened(path, truncates(flags))],
      );
      const node = disk.nodeOf(path);
      if (node !== undefined) descriptors.set(descriptor, node);
      return descriptor;
    },
    close: async (descriptor) => {
      descriptors.delete(descriptor);
      await real.close(descriptor);
    },
    chmod: (descriptor, mode) =>
      disk.change(
        () => real.chmod(descriptor, mode),
        () => disk.onNode(nodeOf(descriptor), (node) => ({ is: 'mode', node, mode })),
      ),
    write: (descriptor, buffer, position) =>
      disk.change(
        () => real.write(descriptor, buffer, position),
        (written) => [disk.written(nodeOf(descriptor), buffer.subarray(0, written), position)],
      ),
    truncate: (descriptor, sizeBytes) =>
      disk.change(
        () => real.truncate(descriptor, sizeBytes),
        () => disk.onNode(nodeOf(descriptor), (node) => ({ is: 'size', node, sizeBytes })),
      ),
    datasync: (descriptor) => disk.sync(nodeOf(descriptor), true),
  };
}

const timesOf = (node: number, atime: Date, mtime: Date): Change => ({
  is: 'times',
  node,
  atimeMs: atime.getTime(),
  mtimeMs: mtime.getTime(),
});
