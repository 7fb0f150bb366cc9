import { createCipheriv, createHash } from 'node:crypto';
import { open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { createDagBuilder } from '#content/dag/dag-builder';
import { leafCid } from '#content/leaf/leaf-block';
import { MIB } from '#core/units';

/** A generated file, with its facts for a manifest and its blocks for a gateway. */
export interface DemoFile {
  readonly path: string;
  readonly diskPath: string;
  readonly sizeBytes: number;
  readonly sha256: string;
  readonly cid: string;
  /** Inner blocks by CID. */
  readonly innerBlocks: ReadonlyMap<string, Uint8Array>;
  /** Byte range of each leaf, by its CID; all leaves are raw. */
  readonly leaves: ReadonlyMap<string, { start: number; end: number }>;
}

/** What a file has in common with that of another seed: all but every so many MiB. */
export interface DemoChange {
  readonly seed: string;
  readonly everyMib: number;
}

/** Generates the file on disk (or keeps a complete one) and computes SHA-256, CID and blocks in one pass. */
export async function makeDemoFile(
  folder: string,
  path: string,
  sizeBytes: number,
  seed: string,
  change?: DemoChange,
): Promise<DemoFile> {
  const diskPath = join(folder, `${change === undefined ? seed : `${seed}-${change.seed}`}.bin`);
  const existing = await stat(diskPath).catch(() => undefined);
  const file = existing?.size === sizeBytes ? undefined : await open(diskPath, 'w', 0o600);
  const sha256 = createHash('sha256');
  const dag = createDagBuilder('unixfs-v1-2025');
  for (const chunk of contentOf(sizeBytes, seed, change)) {
    sha256.update(chunk);
    dag.update(chunk);
    await file?.write(chunk);
    await setImmediate(); // this process also waits for the servers that start meanwhile
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

function* contentOf(sizeBytes: number, seed: string, change: DemoChange | undefined): Generator<Buffer> {
  if (change === undefined) return yield* keystream(seed, sizeBytes);
  const changed = keystream(change.seed, sizeBytes);
  let index = 0;
  for (const chunk of keystream(seed, sizeBytes)) {
    const other: Buffer = changed.next().value ?? chunk;
    yield index % change.everyMib === change.everyMib - 1 ? other : chunk;
    index += 1;
  }
}

/**
 * Bytes that look random and are the same on every machine: the ChaCha20 keystream of a seed, as in the tests of Kubo.
 */
function* keystream(seed: string, sizeBytes: number): Generator<Buffer> {
  const cipher = createCipheriv('chacha20', createHash('sha256').update(seed).digest(), Buffer.alloc(16));
  const zeros = Buffer.alloc(MIB);
  for (let left = sizeBytes; left > 0; left -= MIB) yield cipher.update(zeros.subarray(0, Math.min(left, MIB)));
}
