import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { MIB } from '#core/units';
import { nodeFileOperations } from '#transfer/file-operations';
import { digestIn } from '#transfer/threaded-digest';
import { bytesOf, sha256Of, tableOf } from '../../helpers/transfer-kit.ts';

const bytes = bytesOf(5 * MIB + 3);
const plan = { sizeBytes: bytes.length, algorithms: ['sha256'], dagProfile: 'unixfs-v0-2015' } as const;

let folder: string;
let path: string;
let worker: Worker;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'haulier-digest-'));
  path = join(folder, 'file');
  const outfile = join(folder, 'digest-thread.mjs');
  await build({
    entryPoints: ['packages/transfer/digest-thread.ts'],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    conditions: ['source'],
    external: ['hash-wasm'],
    logLevel: 'silent',
  });
  worker = new Worker(pathToFileURL(outfile));
});
afterAll(async () => {
  await worker.terminate();
  await rm(folder, { recursive: true, force: true });
});

describe('the digest thread', () => {
  it('hashes a growing file behind the frontier, one file after another', async () => {
    for (let round = 0; round < 2; round += 1) {
      await writeFile(path, bytes);
      const file = await nodeFileOperations.openPrivate(path);
      const digest = digestIn(worker, file.descriptor!, path, plan);
      for (let at = 0; at < bytes.length; at += MIB) digest.advance(at);
      const digested = await digest.finish();
      await digest.stop();
      await file.close();
      expect(digested.digests.sha256).toBe(sha256Of(bytes));
      expect(digested.dag?.cid).toBe(tableOf(bytes).rootCid);
    }
  });

  it('says that the file is shorter than it should be', async () => {
    await writeFile(path, bytes.subarray(0, MIB));
    const file = await nodeFileOperations.openPrivate(path);
    const digest = digestIn(worker, file.descriptor!, path, plan);
    await expect(digest.finish()).rejects.toMatchObject({ name: 'StorageError', kind: 'io' });
    await file.close();
  });

  it('stops in the middle', async () => {
    const file = await nodeFileOperations.openPrivate(path);
    const digest = digestIn(worker, file.descriptor!, path, plan);
    digest.advance(1);
    await digest.stop();
    await file.close();
  });
});
