import { createHash } from 'node:crypto';
import { open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { createDagBuilder } from '#content/dag/dag-builder';
import { leafCid } from '#content/leaf/leaf-block';
import { keystream } from './keystream.ts';

/** A generated file with everything that a manifest and a gateway need to know of it. */
export interface DemoFile {
  readonly path: string;
  readonly diskPath: string;
  readonly sizeBytes: number;
  readonly sha256: string;
  readonly cid: string;
  /** Inner blocks by CID. */
  readonly innerBlocks: ReadonlyMap<string, Uint8Array>;
  /** Where each leaf lies, by its CID; all leaves are raw. */
  readonly leaves: ReadonlyMap<string, { start: number; end: number }>;
}

/** Generates the file on disk (or keeps it when it is there in full) and computes SHA-256, CID and blocks in one pass. */
export async function makeDemoFile(folder: string, path: string, sizeBytes: number, seed: string): Promise<DemoFile> {
  const diskPath = join(folder, `${seed}.bin`);
  const existing = await stat(diskPath).catch(() => undefined);
  const file = existing?.size === sizeBytes ? undefined : await open(diskPath, 'w', 0o600);
  const sha256 = createHash('sha256');
  const dag = createDagBuilder('unixfs-v1-2025');
  for (const chunk of keystream(seed, sizeBytes)) {
    sha256.update(chunk);
    dag.update(chunk);
    await file?.write(chunk);
    await setImmediate(); // the servers that start meanwhile are waited for in this process
  }
  await file?.close();
  const { cid, table, innerBlocks } = dag.finish();
  const leaves = new Map<string, { start: number; end: number }>();
  for (let index = 0; index < table.count; index += 1) {
    const leaf = leafCid(table, index);
    if (leaf !== undefined) leaves.set(leaf, { start: table.starts[index]!, end: table.starts[index + 1]! });
  }
  return { path, diskPath, sizeBytes, sha256: sha256.digest('hex'), cid, innerBlocks, leaves };
}
