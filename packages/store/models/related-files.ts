import { readFacts } from '../blobs/blob-facts.ts';
import type { StoreContext } from '../context.ts';
import { blobPath } from '../layout.ts';
import type { FileRecord, VersionRecord } from './model-records.ts';
import type { RecordStore } from './record-store.ts';

/** A file that another version of a model has. */
export interface RelatedContent {
  /** The blob; input only, and it may be gone by the time it is read. */
  readonly path: string;
  /** Whose leaf table says what the blob has. */
  readonly cid: string;
}

/** Each of them costs the reading of a leaf table. */
const MOST_RELATED = 8;

/**
 * Files of other versions of a model that may have leaves of a file in common: those of the same path first, of the newest version first.
 *
 * @param wanted the file that is to come
 */
export async function relatedFiles(
  context: StoreContext,
  records: RecordStore,
  wanted: { readonly model: string; readonly version: string; readonly path: string },
): Promise<RelatedContent[]> {
  const versions = [...((await records.read()).get(wanted.model)?.versions ?? [])]
    .filter(([version]) => version !== wanted.version)
    .map(([, record]) => record)
    .sort((a, b) => b.downloadedAt.localeCompare(a.downloadedAt));
  const own = versions.flatMap(({ files }) => files.get(wanted.path) ?? []);
  const others = versions.flatMap((record) => otherFiles(record, wanted.path));
  const found = new Map<string, RelatedContent>();
  for (const file of [...own, ...others]) {
    if (found.size === MOST_RELATED) break;
    const cid = file.cid ?? (await readFacts(context, file.sha256))?.cid;
    if (cid !== undefined) found.set(file.sha256, { path: blobPath(context.paths, file.sha256), cid });
  }
  return [...found.values()];
}

/** The longest first: they have the most to give. */
const otherFiles = ({ files }: VersionRecord, path: string): FileRecord[] =>
  [...files]
    .filter(([name]) => name !== path)
    .map(([, file]) => file)
    .sort((a, b) => b.sizeBytes - a.sizeBytes);
