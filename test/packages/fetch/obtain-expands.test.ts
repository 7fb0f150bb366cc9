import { describe, expect, it } from '@jest/globals';
import { makeBlocks } from '../../helpers/dag/dag.ts';
import { expectNoLeaks } from '../../helpers/leaks.ts';
import { LEAF_BYTES, obtaining, testFile } from '../../helpers/obtaining.ts';

expectNoLeaks();
const bench = obtaining();

describe('a leaf table whose guesses were wrong', () => {
  it('is expanded where an inner node looked like a leaf, and the file is whole', async () => {
    const sized = await testFile();
    const { cid, blocks } = makeBlocks(sized.bytes, { chunkBytes: LEAF_BYTES, width: 4, tsize: 'low', leaves: 'pb' });
    const file = { ...sized, cid, served: { ...sized.served, ipfs: { [cid]: sized.bytes }, blocks } };
    const gateway = await bench.origin(file.served);
    const run = await bench.obtain({ file, gateways: [gateway], identity: { digests: {} } });
    expect(run.error).toBeUndefined();
    expect(run.result).toMatchObject({ verified: 'leaves', outcome: 'primary_success' });
    expect(run.result!.table!.count).toBeGreaterThanOrEqual(sized.table.count);
  });
});
