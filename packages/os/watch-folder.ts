import { watch } from 'node:fs';

export interface FolderWatch {
  /** Safe twice. */
  close(): void;
}

/**
 * Reports changes of the files right inside a folder, as far as the system reports them: some file systems (NFS, FUSE) and a system out of
 * watches report none, so a caller looks by itself as well. The watch does not keep the process alive.
 *
 * @param onChange gets the name of the file; undefined where the system does not say it
 * @param onLost the watch ended by itself
 * @returns undefined where the folder cannot be watched
 */
export function watchFolder(
  folder: string,
  onChange: (name: string | undefined) => void,
  onLost: (error: unknown) => void,
): FolderWatch | undefined {
  try {
    const watcher = watch(folder, { persistent: false }, (_event, name) => onChange(name ?? undefined));
    watcher.on('error', (error) => {
      watcher.close();
      onLost(error);
    });
    return { close: () => watcher.close() };
  } catch (error) {
    onLost(error);
    return undefined;
  }
}
