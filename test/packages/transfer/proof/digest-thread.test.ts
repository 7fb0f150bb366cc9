import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { MIB } from '#core/units';
import { nodeFileOperations } from '#transfer/disk/file-operations';
import { DigestThread } from '#transfer/proof/threaded-digest';
import { bytesOf, sha256Of, tableOf } from '../../../helpers/transfer-kit.ts';

const bytes = bytesOf(5 * MIB + 3);
const plan = { sizeBytes: bytes.length, algorithms: ['sha256'], dagProfile: 'unixfs-v0-2015' } as const;

let folder: string;
let path: string;
let outfile: URL;
let thread: DigestThread;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'haulier-digest-'));
  path = join(folder, 'file');
  const built = join(folder, 'digest-thread.mjs');
  outfile = pathToFileURL(built);
  await build({
    entryPoints: ['packages/transfer/proof/digest-thread.ts'],
    outfile: built,
    bundle: true,
    platform: 'node',
    format: 'esm',
    conditions: ['source'],
    external: ['hash-wasm'],
    logLevel: 'silent',
  });
  thread = new DigestThread(outfile);
});
afterAll(async () => {
  await thread.terminate();
  await rm(folder, { recursive: true, force: true });
});

describe('the digest thread', () => {
  it('hashes a growing file behind the frontier, one file after another', async () => {
    for (let round = 0; round < 2; round += 1) {
      await writeFile(path, bytes);
      const file = await nodeFileOperations.openPrivate(path);
      const digest = thread.digest(file.descriptor!, path, plan);
      for (let at = 0; at < bytes.length; at += MIB) digest.advance(at);
      const digested = await digest.finish();
      await digest.stop();
      await file.close();
      expect(digested.digests.sha256).toBe(sha256Of(bytes));
      expect(digested.dag?.cid).toBe(tableOf(bytes).rootCid);
    }
  });

  it('hashes several files at once, each at its own pace', async () => {
    const names = ['slow', 'quick', 'stopped'].map((name) => join(folder, name));
    for (const name of names) await writeFile(name, bytes);
    const files = await Promise.all(names.map((name) => nodeFileOperations.openPrivate(name)));
    const [slow, quick, stopped] = files.map((file, index) => thread.digest(file.descriptor!, names[index]!, plan));
    slow!.advance(1);
    stopped!.advance(MIB);
    expect((await quick!.finish()).digests.sha256).toBe(sha256Of(bytes));
    expect(thread.files).toBe(2);
    await stopped!.stop();
    expect((await slow!.finish()).digests.sha256).toBe(sha256Of(bytes));
    expect(thread.files).toBe(0);
    for (const file of files) await file.close();
  });

  it('fails what it was hashing when it ends', async () => {
    await writeFile(path, bytes);
    const file = await nodeFileOperations.openPrivate(path);
    const dying = new DigestThread(outfile);
    const digest = dying.digest(file.descriptor!, path, plan);
    await dying.terminate();
    await expect(digest.finish()).rejects.toMatchObject({ name: 'StorageError' });
    await dying.ended;
    await file.close();
  });

  it('says that the file is shorter than it should be', async () => {
    await writeFile(path, bytes.subarray(0, MIB));
    const file = await nodeFileOperations.openPrivate(path);
    const digest = thread.digest(file.descriptor!, path, plan);
    await expect(digest.finish()).rejects.toMatchObject({ name: 'StorageError', kind: 'io' });
    await file.close();
  });

  it('stops in the middle', async () => {
    const file = await nodeFileOperations.openPrivate(path);
    const digest = thread.digest(file.descriptor!, path, plan);
    digest.advance(1);
    await digest.stop();
    await file.close();
  });
});
