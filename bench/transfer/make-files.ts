import { createCipheriv, createHash } from 'node:crypto';
import { link, mkdir, open, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createDagBuilder, type DagProfile } from '#content/dag/dag-builder';
import { readFully, nodeFileOperations } from '#transfer/disk/file-operations';
import { MIB } from '#core/units';

export interface OriginFile {
  /** Name below the origin's root. */
  readonly name: string;
  readonly path: string;
  readonly sizeBytes: number;
  readonly sha256: string;
}

/** Makes a file of incompressible bytes; the same for the same size. */
export async function makeFile(www: string, name: string, sizeBytes: number): Promise<OriginFile> {
  const path = join(www, name);
  const key = createHash('sha256').update(`file of ${sizeBytes} bytes`).digest();
  const cipher = createCipheriv('aes-256-ctr', key, Buffer.alloc(16));
  const zeros = Buffer.alloc(MIB);
  const hash = createHash('sha256');
  const file = await open(path, 'w');
  try {
    for (let at = 0; at < sizeBytes; at += MIB) {
      const bytes = cipher.update(zeros.subarray(0, Math.min(MIB, sizeBytes - at)));
      hash.update(bytes);
      await file.write(bytes);
    }
  } finally {
    await file.close();
  }
  return { name, path, sizeBytes, sha256: hash.digest('hex') };
}

/** Many small files in one folder, each of other bytes. */
export async function makeSmallFiles(www: string, folder: string, count: number, sizeBytes: number) {
  await mkdir(join(www, folder), { recursive: true });
  const files: OriginFile[] = [];
  for (let index = 0; index < count; index += 1) {
    const bytes = Buffer.alloc(sizeBytes, `${index} `);
    const name = `${folder}/${index}`;
    await writeFile(join(www, name), bytes);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    files.push({ name, path: join(www, name), sizeBytes, sha256 });
  }
  return files;
}

/**
 * Serves a file by its CID: the bytes and the inner blocks of its DAG.
 *
 * @returns the CID as the profile writes it
 */
export async function serveByCid(www: string, file: OriginFile, profile: DagProfile): Promise<string> {
  const builder = createDagBuilder(profile);
  const opened = (await nodeFileOperations.openForReading(file.path))!;
  const buffer = Buffer.allocUnsafe(MIB);
  for (let at = 0; at < file.sizeBytes; at += buffer.length)
    builder.update(buffer.subarray(0, await readFully(opened, buffer, at)));
  await opened.close();
  const dag = builder.finish();
  await mkdir(join(www, 'ipfs'), { recursive: true });
  await mkdir(join(www, 'blocks'), { recursive: true });
  for (const cid of new Set([dag.cid, dag.profileCid])) await linkAnew(file.path, join(www, 'ipfs', cid));
  for (const [cid, block] of dag.innerBlocks) await writeFile(join(www, 'blocks', cid), block);
  const root = dag.innerBlocks.get(dag.cid);
  if (root !== undefined) await writeFile(join(www, 'blocks', dag.profileCid), root);
  return dag.profileCid;
}

async function linkAnew(path: string, name: string): Promise<void> {
  await rm(name, { force: true });
  await link(path, name);
}
