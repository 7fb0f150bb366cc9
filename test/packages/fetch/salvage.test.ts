import { execFileSync } from 'node:child_process';
import { lstat, mkdir, mkdtemp, open, readFile, readdir, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { download, type DownloadReport } from '#fetch/download';
import { partialPathOf } from '#fetch/target/partial-path';
import { KIB, MIB } from '#core/units';
import { nodeFileOperations } from '#transfer/disk/file-operations';
import { transfer } from '#transfer/run/transfer';
import type { Progress } from '#transfer/report/transfer-options';
import { makeBlocks } from '../../helpers/dag/dag.ts';
import { fakeSource } from '../../helpers/fake-source.ts';
import { startOrigin, type Origin } from '../../helpers/origin/origin.ts';
import { bytesOf, sha256Of, tableOf, transferKit } from '../../helpers/transfer-kit.ts';

const LEAF = 256 * KIB;
const bytes = bytesOf(4 * MIB + 777);
const SIZE = bytes.length;
const dag = makeBlocks(bytes);

let home: string;
let to: string;
let origin: Origin;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'haulier-salvage-'));
  to = join(home, 'model.bin');
  origin = await startOrigin({ ipfs: { [dag.cid]: bytes }, blocks: dag.blocks });
});
afterEach(async () => {
  await origin.close();
  await rm(home, { recursive: true, force: true });
});

const get = (): Promise<DownloadReport> => download({ from: dag.cid, to, gateways: [origin.url] });
const fetchedBytes = ({ sources }: DownloadReport): number => sources.reduce((sum, source) => sum + source.bytes, 0);

/** @param resumedBytes what must not be asked for again */
async function expectKept(resumedBytes: number): Promise<void> {
  const report = await get();
  expect(report).toMatchObject({ verified: true, resumedBytes, wastedBytes: 0 });
  expect(fetchedBytes(report)).toBe(SIZE - resumedBytes);
  expect(bytes.equals(await readFile(to))).toBe(true);
  expect(await readdir(home)).toEqual(expect.not.arrayContaining([expect.stringMatching(/haulier/)]));
}

/** A file with holes where it has no leaf. */
async function sparse(path: string, leaves: readonly number[]): Promise<void> {
  const file = await open(path, 'w');
  await file.truncate(SIZE);
  for (const leaf of leaves) await file.write(bytes, leaf * LEAF, LEAF, leaf * LEAF);
  await file.close();
}

describe('the file at the target, when it is fetched by CID', () => {
  it('keeps every whole leaf of a shorter file', async () => {
    await writeFile(to, bytes.subarray(0, 7 * LEAF + 5));
    await expectKept(7 * LEAF);
  });

  it('keeps all of a longer file, and not what follows', async () => {
    await writeFile(to, Buffer.concat([bytes, bytesOf(MIB, 'more')]));
    await expectKept(SIZE);
  });

  it('keeps nothing of one whose bytes are a byte aside, and what lies behind a byte that was replaced', async () => {
    await writeFile(to, Buffer.concat([Buffer.of(0), bytes.subarray(0, SIZE - 1)]));
    await expectKept(0);
    await writeFile(to, Buffer.concat([bytes.subarray(0, LEAF), Buffer.alloc(1), bytes.subarray(LEAF + 1)]));
    await expectKept(SIZE - LEAF);
  });

  it('keeps the leaves between the holes of a sparse file', async () => {
    await sparse(to, [0, 3, 4, 11]);
    await expectKept(4 * LEAF);
  });

  it('keeps nothing of an empty file, nor of one of zeros or of other bytes', async () => {
    for (const other of [Buffer.alloc(0), Buffer.alloc(SIZE), bytesOf(SIZE, 'other')]) {
      await writeFile(to, other);
      await expectKept(0);
    }
  });

  it('reads the file that a link leads to, and replaces only the link', async () => {
    const blob = join(home, 'blob');
    const old = Buffer.concat([bytes.subarray(0, 5 * LEAF), bytesOf(SIZE - 5 * LEAF, 'other')]);
    await writeFile(blob, old);
    await symlink('blob', to);
    await expectKept(5 * LEAF);
    expect((await lstat(to)).isFile()).toBe(true);
    expect(old.equals(await readFile(blob))).toBe(true);
  });

  it('replaces a link that leads nowhere, or round in a circle', async () => {
    for (const leadsTo of ['nowhere', 'model.bin']) {
      await rm(to, { force: true });
      await symlink(leadsTo, to);
      await expectKept(0);
    }
  });

  it('refuses a folder and a pipe by name, without a request and without waiting', async () => {
    await mkdir(to);
    await expect(get()).rejects.toMatchObject({ name: 'StorageError', message: expect.stringContaining('model.bin') });
    await rm(to, { recursive: true });
    execFileSync('mkfifo', [to]);
    await expect(get()).rejects.toMatchObject({ name: 'StorageError', message: expect.stringContaining('model.bin') });
    expect(origin.requests).toEqual([]);
  });

  it('keeps the good leaves of a partial of another program, with its journal or without', async () => {
    for (const journal of [
      undefined,
      Buffer.alloc(0),
      Buffer.from('{"of":"another program"}'),
      bytesOf(5000, 'junk'),
    ]) {
      await rm(to, { force: true });
      await sparse(partialPathOf(to), [1, 2, 9]);
      if (journal) await writeFile(`${partialPathOf(to)}.journal`, journal);
      await expectKept(3 * LEAF);
    }
  });

  it('keeps the leaves of a partial and of the file at the target together', async () => {
    await sparse(partialPathOf(to), [1, 2]);
    await writeFile(to, bytes.subarray(0, 2 * LEAF));
    await expectKept(3 * LEAF);
  });

  it('keeps from the stopped fetch of another file of the same length only what both have', async () => {
    const other = Buffer.concat([bytes.subarray(0, 2 * LEAF), bytesOf(SIZE - 2 * LEAF, 'other')]);
    const otherDag = makeBlocks(other);
    const blocks = new Map([...dag.blocks, ...otherDag.blocks]);
    origin.serve({ ipfs: { [dag.cid]: bytes, [otherDag.cid]: other }, blocks });
    const stop = new AbortController();
    const stopped = download({
      ...{ from: otherDag.cid, to, gateways: [origin.url], signal: stop.signal, limitBytesPerSecond: 3 * MIB },
      onProgress: ({ committedBytes }) => committedBytes >= 2 * MIB && stop.abort(new Error('enough')),
    });
    await expect(stopped).rejects.toThrow('enough');
    await expectKept(2 * LEAF);
  });

  it('keeps nothing of the stopped fetch of another file that only a digest tells apart', async () => {
    const other = bytesOf(SIZE, 'other');
    origin.serve({ files: { one: other, two: bytes } });
    const stop = new AbortController();
    const fetching = (name: string, content: Buffer, more: object): Promise<DownloadReport> =>
      download({ from: `${origin.url}/files/${name}`, to, digests: { sha256: sha256Of(content) }, ...more });
    const limits = { signal: stop.signal, limitBytesPerSecond: 3 * MIB };
    const onProgress = ({ committedBytes }: Progress) => committedBytes >= 2 * MIB && stop.abort(new Error('enough'));
    await expect(fetching('one', other, { ...limits, onProgress })).rejects.toThrow('enough');
    const before = origin.requests.length;
    expect(await fetching('two', bytes, {})).toMatchObject({ verified: true, resumedBytes: 0, wastedBytes: 0 });
    expect(origin.requests.slice(before).map(({ bytesSent }) => bytesSent)).toEqual([SIZE]);
    expect(bytes.equals(await readFile(to))).toBe(true);
  });

  it('cuts a partial that is too long', async () => {
    await writeFile(partialPathOf(to), bytes);
    await truncate(partialPathOf(to), SIZE + 5 * MIB);
    await expectKept(SIZE);
  });
});

describe('a file to salvage that the disk refuses', () => {
  const table = tableOf(bytes);

  it.each(['EACCES', 'EIO', 'ELOOP'])('is passed over when it cannot be opened: %s', async (code) => {
    const kit = await transferKit();
    const refuse = (): Promise<never> => Promise.reject(Object.assign(new Error(code), { code }));
    const fileOperations = { ...nodeFileOperations, openForReading: refuse };
    const source = fakeSource(bytes);
    const result = await transfer(kit.options([source], { table, salvage: ['/somewhere'], fileOperations }));
    expect(result).toMatchObject({ verified: 'leaves', resumedBytes: 0 });
    await kit.remove();
  });
});
