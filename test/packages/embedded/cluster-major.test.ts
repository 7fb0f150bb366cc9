import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { clusterMajor, clusterPaths } from '#embedded/postgres-cluster';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'haulier-embedded-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

it('never takes a cluster that cannot be read for none, because a new one would take its place', async () => {
  const paths = clusterPaths(folder);
  expect(await clusterMajor(paths)).toBeUndefined();
  await mkdir(join(paths.cluster, 'PG_VERSION'), { recursive: true });
  await expect(clusterMajor(paths)).rejects.toMatchObject({ name: 'StorageError', kind: 'io' });
});
