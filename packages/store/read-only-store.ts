import { resolve } from 'node:path';
import { StorageError } from '#core/failure';
import { ifPresent } from '#os/if-present';
import { readVersion, storePaths, type StorePaths } from './layout.ts';
import { decodeRecords, type ModelRecords } from './models/model-records.ts';
import { nodeFiles } from '#os/file-calls';

export interface ReadOnlyStore {
  readonly paths: StorePaths;
  readonly records: ModelRecords;
}

/**
 * Reads what a store says it has and changes nothing in it: no folder is made, no view is put right, no lock is taken. A store on a
 * read-only medium will do. Where there is no store, there are no records.
 *
 * @param home HAULIER_HOME
 * @throws StorageError `newer-layout`; `io` for damaged records; `denied` …
 */
export async function readStore(home: string): Promise<ReadOnlyStore> {
  const paths = storePaths(resolve(home));
  try {
    await readVersion(nodeFiles, paths);
    const text = await ifPresent(nodeFiles.readFile(paths.manifests, 'utf8'));
    const records = text === undefined ? new Map() : decodeRecords(text, paths.manifests);
    if (records !== undefined) return { paths, records };
  } catch (error) {
    throw StorageError.from(error, paths.manifests);
  }
  throw new StorageError('io', paths.manifests, `${paths.manifests} is damaged; haulier worker verify sets it aside`);
}
