import { nodeFileOperations, type FileOperations, type OpenFile } from '#transfer/disk/file-operations';

export const diskError = (code: string): Error => Object.assign(new Error(`${code}: the disk says no`), { code });

/** What the disk does wrong; every hook may throw, and `write` may shorten what is written. */
export interface DiskFaults {
  readonly write?: (n: number, bytes: number) => number | undefined;
  readonly datasync?: (n: number) => void;
  readonly read?: (n: number) => void;
  readonly truncate?: (sizeBytes: number) => void;
  readonly replaceSmall?: (n: number) => void;
  readonly openPrivate?: () => void;
  readonly freeBytes?: number;
}

/** The real disk, with faults. `writes` counts the writes to the partial. */
export function faultyDisk(faults: DiskFaults): FileOperations & { readonly counts: Record<string, number> } {
  const counts: Record<string, number> = {};
  const next = (what: string): number => (counts[what] = (counts[what] ?? -1) + 1);
  const wrap = (file: OpenFile): OpenFile => ({
    ...file,
    async write(buffer, position) {
      const length = faults.write?.(next('write'), buffer.length);
      return file.write(length === undefined ? buffer : buffer.subarray(0, length), position);
    },
    async read(buffer, position) {
      faults.read?.(next('read'));
      return file.read(buffer, position);
    },
    async datasync() {
      faults.datasync?.(next('datasync'));
      await file.datasync();
    },
    async truncate(sizeBytes) {
      faults.truncate?.(sizeBytes);
      await file.truncate(sizeBytes);
    },
  });
  return {
    ...nodeFileOperations,
    counts,
    async openPrivate(path) {
      faults.openPrivate?.();
      return wrap(await nodeFileOperations.openPrivate(path));
    },
    async replaceSmall(path, bytes) {
      faults.replaceSmall?.(next('replaceSmall'));
      await nodeFileOperations.replaceSmall(path, bytes);
    },
    freeBytes: (folder) =>
      faults.freeBytes === undefined ? nodeFileOperations.freeBytes(folder) : Promise.resolve(faults.freeBytes),
  };
}
