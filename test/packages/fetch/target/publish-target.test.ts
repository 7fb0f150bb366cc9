import { mkdir, mkdtemp, readFile, realpath, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { publishTarget } from '#fetch/target/publish-target';
import { preparePlace } from '#fetch/target/target-place';
import { writeFully } from '#transfer/disk/file-operations';
import { journalPathOf } from '#transfer/disk/partial';
import type { Fate } from '../../../helpers/disk/disk-model.ts';
import { PowerLossFs } from '../../../helpers/disk/power-loss-fs.ts';
import type { PowerLossOptions } from '../../../helpers/disk/recorded-disk.ts';
import { bytesOf } from '../../../helpers/transfer-kit.ts';

const OLD = bytesOf(30_000, 'old');
const NEW = bytesOf(50_000, 'new');
const PUBLISHED = 'published';
const partialBeside = (target: string): string => join(dirname(target), '.model.bin.part');

let folder: string;
beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'haulier-publish-')));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

interface Life {
  readonly disk: PowerLossFs;
  /** Of the target, below the root of the disk. */
  readonly name: string;
  readonly old: Buffer | undefined;
  /** Steps of the disk before the first one that is ours. */
  readonly from: number;
}

/** What `haulier fetch` does with the disk from an empty partial to the end; the transfer itself syncs nothing of it. */
async function publishOn(name: string, old: Buffer | undefined, how: PowerLossOptions = {}): Promise<Life> {
  const root = join(folder, 'live');
  await mkdir(root);
  const target = join(root, name);
  if (old !== undefined) await writeFile(target, old);
  const disk = new PowerLossFs(root, how);
  const from = disk.history.steps.length;
  await preparePlace(target, disk.files);
  const partialPath = partialBeside(target);
  const partial = await disk.fileOperations.openPrivate(partialPath);
  await writeFully(partial, NEW, 0);
  await partial.close();
  await disk.fileOperations.replaceSmall(journalPathOf(partialPath), Buffer.from('journal'));
  await publishTarget(partialPath, target, disk.files);
  disk.mark(PUBLISHED);
  return { disk, name, old, from };
}

const FATES = (cut: number): Fate[] => ['nothing', 'everything', ...[1, 2, 3, 4].map((n) => ({ seed: cut * n }))];

/** Cuts the power after every operation and looks at the target. */
async function eachCut({ disk, name, old, from }: Life): Promise<void> {
  const root = join(folder, 'after');
  for (let cut = from; cut <= disk.history.steps.length; cut += 1)
    for (const fate of FATES(cut)) {
      disk.cut(cut, fate, root);
      const found = await readFile(join(root, name)).catch(() => undefined);
      await rm(root, { recursive: true, force: true });
      const isOld = found === undefined ? old === undefined : old?.equals(found) === true;
      const isWhole = found !== undefined && NEW.equals(found);
      if (isWhole || (isOld && !disk.isBefore(PUBLISHED, cut))) continue;
      throw new Error(`cut after step ${cut}, fate ${JSON.stringify(fate)}: ${found?.length} bytes at the target`);
    }
}

const CASES: [string, string, Buffer | undefined][] = [
  ['an old file', 'model.bin', OLD],
  ['nothing', 'model.bin', undefined],
  ['not even a folder', 'a/b/model.bin', undefined],
];

describe('a fetched file at whose publish the power fails', () => {
  it.each(CASES)(
    'G19 is the old or the new whole one, and the new one once it is published, over %s',
    async (...how) => {
      const [, name, old] = how;
      const life = await publishOn(name, old);
      await eachCut(life);
      const target = join(folder, 'live', name);
      expect(NEW.equals(await readFile(target))).toBe(true);
      await expect(stat(journalPathOf(partialBeside(target)))).rejects.toThrow('ENOENT');
    },
  );

  it('G19 has the rights of any new file, too', async () => {
    const { disk, name } = await publishOn('model.bin', undefined);
    const root = join(folder, 'after');
    disk.cut(disk.history.steps.length, 'nothing', root);
    expect((await stat(join(root, name))).mode & 0o777).toBe(0o666 & ~process.umask());
  });

  it.each(['files', 'folders'] as const)('G19 would not go unnoticed if %s were not synced', async (ignoresSyncOf) => {
    for (const [, name, old] of CASES) {
      await expect(publishOn(name, old, { ignoresSyncOf }).then(eachCut)).rejects.toThrow('cut after step');
      await rm(join(folder, 'live'), { recursive: true });
    }
  });
});
