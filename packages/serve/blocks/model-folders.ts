import { blockMatches, CODEC } from '#content/cid/cid-bytes';
import { tryParseCid } from '#content/cid/cid';
import { folderDag, type FolderDag, type DagFile } from '#content/dag/folder-dag';
import { decodeUnixfsNode } from '#content/dag/unixfs-node';
import { FRAMING } from '#content/leaf/leaf-table';
import { leafBytesAt } from '#content/leaf/leaf-block';
import { leafFrame } from '#content/leaf/leaf-frame';
import { VerifyError } from '#core/failure';
import type { ModelRecords, VersionRecord } from '#store/models/model-records';
import { canonicalCid } from '#content/cid/canonical-cid';
import { hexOf, type LeafShelf, type Shelved } from './leaf-shelf.ts';

/** The folder of one version of a model, as IPFS names it. */
export interface ModelFolder {
  readonly model: string;
  readonly version: string;
  readonly dag: FolderDag;
}

/**
 * Builds the folders of all versions whose files have CIDs. Where the version was published as a folder, and a common way to build it
 * leads to the CID that is recorded, it is that one; else a new one with links of version 1.
 */
export async function modelFolders(records: ModelRecords, sizes: DagSizes): Promise<ModelFolder[]> {
  const folders: ModelFolder[] = [];
  for (const [model, { versions }] of records)
    for (const [version, record] of versions) {
      const files = await folderFiles(record, sizes);
      const dag = files && dagOf(files, record.ipfsHash);
      if (dag !== undefined) folders.push({ model, version, dag });
    }
  return folders;
}

function dagOf(files: readonly DagFile[], recorded: string | null): FolderDag | undefined {
  const dags = ([1, 0] as const).map((version) => folderDag(files, version));
  const wanted = recorded === null ? undefined : canonicalCid(recorded);
  return dags.find((dag) => dag?.cid === wanted) ?? dags[0];
}

/** Bytes of all blocks of a file's DAG; undefined when its nodes do not say. */
export type DagSizes = (cid: string, sizeBytes: number) => Promise<number | undefined>;

/** Remembers the sizes, so that a change of one model does not read the leaf tables of all. */
export function dagSizes(shelf: Pick<LeafShelf, 'get'>): DagSizes {
  const known = new Map<string, number>();
  return async (cid, sizeBytes) => {
    const before = known.get(cid);
    if (before !== undefined) return before;
    const shelved = await shelf.get(cid);
    const bytes = shelved === undefined ? undefined : dagBytes(shelved, sizeBytes);
    if (bytes !== undefined) known.set(cid, bytes);
    return bytes;
  };
}

async function folderFiles(record: VersionRecord, sizes: DagSizes): Promise<DagFile[] | undefined> {
  const files: DagFile[] = [];
  for (const [path, { cid, sizeBytes }] of record.files) {
    if (cid === undefined) return undefined;
    const canonical = canonicalCid(cid);
    const tsize = await sizes(canonical, sizeBytes);
    if (tsize === undefined) return undefined;
    files.push({ path, cid: canonical, tsize });
  }
  return files.length === 0 ? undefined : files;
}

function dagBytes({ cid, table, inner }: Shelved, sizeBytes: number): number | undefined {
  const parts = tryParseCid(cid);
  if (parts === undefined) return undefined;
  const root = inner.get(hexOf(parts.digest));
  if (root !== undefined && blockMatches(parts, root)) {
    if (parts.codec !== CODEC.dagPb) return root.length;
    return linkedBytes(root);
  }
  if (table?.count !== 1) return sizeBytes > 0 ? undefined : parts.codec === CODEC.raw ? 0 : EMPTY_FILE_BYTES;
  const framing = table.framing[0]!;
  if (framing === FRAMING.raw) return leafBytesAt(table, 0);
  if (framing !== FRAMING.pbFile) return undefined;
  const { pre, post } = leafFrame(framing, leafBytesAt(table, 0));
  return pre.length + leafBytesAt(table, 0) + post.length;
}

/** The dag-pb block of an empty file. */
const EMPTY_FILE_BYTES = 6;

function linkedBytes(node: Uint8Array): number | undefined {
  try {
    const { links } = decodeUnixfsNode(node);
    return links.reduce((sum, { tsize }) => sum + (tsize ?? Number.NaN), node.length) || undefined;
  } catch (error) {
    if (error instanceof VerifyError) return undefined;
    throw error;
  }
}
