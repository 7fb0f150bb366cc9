import { createHash } from 'node:crypto';
import { readFacts, type BlobFacts } from './blobs/blob-facts.ts';
import { listBlobs } from './blobs/blob-list.ts';
import type { StoreContext } from './context.ts';
import { filesOf, type FileUse } from './models/model-records.ts';
import type { RecordStore } from './models/record-store.ts';

/** One content under one name; content that no model names stands alone. */
export interface InventoryEntry {
  readonly sha256: string;
  readonly sizeBytes: number;
  readonly cid: string | null;
  readonly model: string | null;
  readonly version: string | null;
  readonly path: string | null;
  /** Whether the version is the one that the views show. */
  readonly current: boolean;
  readonly state: 'valid' | 'invalid';
  /** Milliseconds since 1970; null when the bytes were never proven here. */
  readonly verifiedAt: number | null;
}

export interface Inventory {
  /** SHA-256 over what the host has, independent of order and of when it was checked. */
  readonly digest: string;
  readonly fileCount: number;
  readonly storeBytes: number;
  readonly entries: readonly InventoryEntry[];
}

/** What this host has, from its own disk: what repairs the records elsewhere when events were lost. */
export async function inventory(context: StoreContext, records: RecordStore): Promise<Inventory> {
  const blobs = await listBlobs(context);
  const known = new Map<string, Known>();
  for (const { sha256, sizeBytes } of blobs) known.set(sha256, { sizeBytes, facts: await readFacts(context, sha256) });
  const entries = [...filesOf(await records.read())].map((use) => namedEntry(use, known.get(use.file.sha256)));
  const named = new Set(entries.map(({ sha256 }) => sha256));
  for (const [sha256, found] of known) if (!named.has(sha256)) entries.push(namelessEntry(sha256, found));
  const storeBytes = blobs.reduce((sum, blob) => sum + blob.sizeBytes, 0);
  return { digest: inventoryDigest(entries), fileCount: entries.length, storeBytes, entries };
}

interface Known {
  readonly sizeBytes: number;
  readonly facts: BlobFacts | undefined;
}

function namedEntry({ model, version, path, file, current }: FileUse, found: Known | undefined): InventoryEntry {
  const present = file.invalid === undefined && found?.sizeBytes === file.sizeBytes;
  return {
    sha256: file.sha256,
    sizeBytes: file.sizeBytes,
    cid: file.cid ?? found?.facts?.cid ?? null,
    model,
    version,
    path,
    current,
    state: present ? 'valid' : 'invalid',
    verifiedAt: found?.facts?.verifiedAt ?? null,
  };
}

const namelessEntry = (sha256: string, { sizeBytes, facts }: Known): InventoryEntry => ({
  sha256,
  sizeBytes,
  cid: facts?.cid ?? null,
  model: null,
  version: null,
  path: null,
  current: false,
  state: 'valid',
  verifiedAt: facts?.verifiedAt ?? null,
});

/** Equal for equal contents whatever the order; a time of proof does not change it. */
export function inventoryDigest(entries: readonly InventoryEntry[]): string {
  const lines = entries.map(({ sha256, sizeBytes, model, version, path, current, state }) =>
    JSON.stringify([sha256, sizeBytes, model, version, path, current, state]),
  );
  return createHash('sha256').update(lines.sort().join('\n')).digest('hex');
}
