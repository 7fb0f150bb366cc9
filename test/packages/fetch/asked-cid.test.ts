import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import { download, type DownloadReport } from '#fetch/download';
import { createDagBuilder, type BuiltDag, type DagProfile } from '#content/dag/dag-builder';
import { MIB } from '#core/units';
import { obtaining, testFile } from '../../helpers/obtaining.ts';
import { bytesOf } from '../../helpers/transfer-kit.ts';

const bench = obtaining();
const file = await testFile();

function dagOf(bytes: Uint8Array, profile: DagProfile): BuiltDag {
  const builder = createDagBuilder(profile);
  builder.update(bytes);
  return builder.finish();
}

it.each([
  ['version 1, of these bytes', dagOf(file.bytes, 'unixfs-v1-2025'), true],
  ['version 0, of these bytes', dagOf(file.bytes, 'unixfs-v0-2015'), true],
  ['version 1, of other bytes', dagOf(bytesOf(MIB, 'other'), 'unixfs-v1-2025'), false],
  ['version 0, of other bytes', dagOf(bytesOf(MIB, 'other'), 'unixfs-v0-2015'), false],
])(
  'EX3 a CID without blocks (%s) is reported only when the bytes lead to it, fetched or here already',
  async (_, dag, isProven) => {
    const origin = await bench.origin({ files: file.served.files! });
    const to = join(bench.folder, file.name);
    const get = (): Promise<DownloadReport> =>
      download({
        from: dag.profileCid,
        to,
        mirrors: [`${origin.url}/files/${file.name}`],
        digests: { sha256: file.sha256 },
      });
    const proven = { sha256: file.sha256, verified: true, cid: isProven ? dag.cid : undefined };
    for (const outcome of ['secondary_success', 'cache_hit']) expect(await get()).toMatchObject({ ...proven, outcome });
    await rm(to);
  },
);
