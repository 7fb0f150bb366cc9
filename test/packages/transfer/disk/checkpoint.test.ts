import { expect, it } from '@jest/globals';
import { KIB, MIB } from '#core/units';
import { nodeFileOperations, type FileOperations } from '#transfer/disk/file-operations';
import { transfer } from '#transfer/run/transfer';
import { fakeSource } from '../../../helpers/fake-source.ts';
import { bytesOf, sha256Of, transferKit } from '../../../helpers/transfer-kit.ts';
import { until } from '../../../helpers/until.ts';

it('H04 waits for a disk that takes long for a checkpoint, so that a kill meanwhile costs no more than usual', async () => {
  const kit = await transferKit();
  const bytes = bytesOf(128 * MIB);
  let sent = 0;
  const sentUntilSynced: number[] = [];
  /** The disk is slower than any source: it is done only when nothing more comes. */
  const untilNothingComes = async (): Promise<void> => {
    let [seen, quiet] = [-1, 0];
    const isQuiet = (): boolean => {
      quiet = sent === seen ? quiet + 1 : 0;
      seen = sent;
      return quiet === 3;
    };
    await until(isQuiet, { what: 'nothing more to come' });
  };
  const fileOperations: FileOperations = {
    ...nodeFileOperations,
    async openPrivate(path) {
      const file = await nodeFileOperations.openPrivate(path);
      const datasync = async (): Promise<void> => {
        await untilNothingComes();
        sentUntilSynced.push(sent);
      };
      return { ...file, datasync };
    },
  };
  const source = fakeSource(bytes, { chunkBytes: 256 * KIB, corrupt: (_, chunk) => void (sent += chunk.length) });
  const file = { sizeBytes: bytes.length, digests: { sha256: sha256Of(bytes) } };
  try {
    await transfer(kit.options([source], { file, fileOperations }));
    expect(sentUntilSynced.length).toBeGreaterThanOrEqual(2);
    // Nothing is in a journal yet: a checkpoint is due after 24 MiB, 16 more may come meanwhile, and each of several connections
    // has some in memory. What docs/guide/cli.md promises is that a kill costs at most 64 MiB.
    expect(sentUntilSynced[0]).toBeLessThan(64 * MIB);
  } finally {
    await kit.remove();
  }
});
