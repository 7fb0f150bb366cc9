import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { buildLeafTable } from '#content/leaf/build-leaf-table';
import { silentLogger } from '#core/logger';
import { openStore, type Store } from '#store/open-store';
import { storeLeafTables } from '../../../../apps/worker/downloads/leaf-table-cache.ts';
import { fromBlocks, makeBlocks } from '../../../helpers/dag/dag.ts';

describe('leaf tables in the store of a host', () => {
  let home: string;
  let store: Store;
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'haulier-leaves-'));
    store = await openStore({ home });
  });
  afterEach(() => rm(home, { recursive: true, force: true }));

  async function built() {
    const dag = makeBlocks(randomBytes(20_000), { chunkBytes: 1000, width: 4 });
    return { cid: dag.cid, ...(await buildLeafTable(dag.cid, fromBlocks(dag.blocks))) };
  }

  it('come back as they were, also in another process', async () => {
    const { cid, table, innerBlocks } = await built();
    await storeLeafTables(store, silentLogger).save(cid, { table, innerBlocks });
    const other = storeLeafTables(await openStore({ home }), silentLogger);
    expect(await other.load(cid)).toEqual({ table, innerBlocks });
    expect(await other.load('bafkqaaa')).toBeUndefined();
  });

  it('are built again when they are damaged or of another CID', async () => {
    const [one, two] = [await built(), await built()];
    const tables = storeLeafTables(store, silentLogger);
    await tables.save(one.cid, one);
    await store.writeLeaves(two.cid, await store.readLeaves(one.cid));
    expect(await tables.load(two.cid)).toBeUndefined();
    for (const name of await readdir(store.paths.leaves)) await writeFile(join(store.paths.leaves, name), 'rotten');
    expect(await tables.load(one.cid)).toBeUndefined();
  });

  it('a CID that cannot name a file is not kept, and is no failure', async () => {
    const { table, innerBlocks } = await built();
    const tables = storeLeafTables(store, silentLogger);
    const long = `b${'a'.repeat(280)}`;
    await expect(tables.save(long, { table, innerBlocks: new Map() })).resolves.toBeUndefined();
    expect(await tables.load(long)).toBeUndefined();
    expect(innerBlocks.size).toBeGreaterThan(0);
  });
});
