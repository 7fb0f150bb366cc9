import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { clusterMajor, clusterPaths } from '#embedded/postgres-cluster';
import { readIfPresent } from '#embedded/read-if-present';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'haulier-embedded-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

it('gives the text of a file, and undefined where there is none', async () => {
  await writeFile(join(folder, 'a'), 'text');
  expect(await readIfPresent(join(folder, 'a'))).toBe('text');
  expect(await readIfPresent(join(folder, 'b'))).toBeUndefined();
});

it('never takes a cluster that cannot be read for none, because a new one would take its place', async () => {
  const paths = clusterPaths(folder);
  expect(await clusterMajor(paths)).toBeUndefined();
  await mkdir(join(paths.cluster, 'PG_VERSION'), { recursive: true });
  await expect(clusterMajor(paths)).rejects.toMatchObject({ name: 'StorageError', kind: 'io' });
});
