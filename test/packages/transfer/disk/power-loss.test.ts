import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { constants } from 'node:fs';
import { mkdir, mkdtemp, readFile, realpath, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LAYERS } from '#core/layer';
import type { Source } from '#core/source';
import { KIB, MIB, SECOND_MS } from '#core/units';
import { nodeFiles } from '#os/file-calls';
import { fileOperationsOn, type FileOperations } from '#transfer/disk/file-operations';
import { leafGrid, pieceGrid, type Grid } from '#transfer/plan/grid';
import { bitOf, decodeJournal } from '#transfer/disk/journal';
import { journalPathOf } from '#transfer/disk/partial';
import { transfer } from '#transfer/run/transfer';
import type { TransferOptions } from '#transfer/report/transfer-options';
import type { Fate } from '../../../helpers/disk/disk-model.ts';
import { fakeSource } from '../../../helpers/fake-source.ts';
import { PowerLossFs } from '../../../helpers/disk/power-loss-fs.ts';
import type { PowerLossOptions } from '../../../helpers/disk/recorded-disk.ts';
import { bytesOf, QUICK_BUDGETS, sha256Of, tableOf } from '../../../helpers/transfer-kit.ts';

const bytes = bytesOf(3 * MIB);
const table = tableOf(bytes);
const sha256 = sha256Of(bytes);
const CHUNK = 32 * KIB;

let folder: string;
beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'haulier-power-')));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

type Proof = Pick<TransferOptions, 'file' | 'table'>;
const PROOFS: [string, Proof, Grid][] = [
  ['leaves', { file: { digests: {}, cid: table.rootCid }, table }, leafGrid(table)],
  ['a digest', { file: { sizeBytes: bytes.length, digests: { sha256 } } }, pieceGrid(bytes.length)],
];

const optionsOf = (proof: Proof, partialPath: string, more: Partial<TransferOptions>): TransferOptions => ({
  ...proof,
  sources: [],
  layers: LAYERS,
  strategy: 'ordered',
  partialPath,
  budgets: QUICK_BUDGETS,
  connections: 1,
  digestThread: 'inline',
  ...more,
});

/** Every checkpoint says how much it made safe; `settled` waits until nothing is on its way to the disk. */
function watched(
  { fileOperations, mark }: { fileOperations: FileOperations; mark: (what: string) => void },
  grid: Grid,
) {
  let busy = 0;
  const counted = async <T>(work: Promise<T>): Promise<T> => {
    busy += 1;
    return work.finally(() => (busy -= 1));
  };
  const operations: FileOperations = {
    ...fileOperations,
    async openPrivate(path) {
      const file = await fileOperations.openPrivate(path);
      return {
        ...file,
        write: (buffer, position) => counted(file.write(buffer, position)),
        datasync: () => counted(file.datasync()),
      };
    },
    async replaceSmall(path, journal) {
      await counted(fileOperations.replaceSmall(path, journal));
      mark(`safe ${claims(journal, grid).reduce((sum, unit) => sum + grid.end(unit) - grid.start(unit), 0)}`);
    },
  };
  const settled = async (): Promise<void> => {
    do await new Promise((resolve) => setImmediate(resolve));
    while (busy > 0);
  };
  return { operations, settled };
}

/** A source that sends a chunk once the disk has done with the one before. */
const patient = (source: Source, settled: () => Promise<void>): Source => ({
  ...source,
  read: (request, sink, signal) => {
    const write = async (chunk: Uint8Array): Promise<void> => {
      await sink.write(chunk);
      await settled();
    };
    return source.read(request, { head: (head) => sink.head(head), write }, signal);
  },
});

function claims(journal: Uint8Array | undefined, grid: Grid): number[] {
  const read = decodeJournal(journal);
  return read.ok
    ? Array.from({ length: grid.count }, (_, unit) => unit).filter((unit) => bitOf(read.journal.bitmap, unit))
    : [];
}

/** A transfer in `root`, whose clock makes a checkpoint due after every block; stopped cleanly after so many bytes. */
async function live(
  root: string,
  [, proof, grid]: (typeof PROOFS)[number],
  stopAt = Infinity,
  how: PowerLossOptions = {},
) {
  const disk = new PowerLossFs(root, how);
  const from = disk.history.steps.length;
  const controller = new AbortController();
  let nowMs = 0;
  const { operations, settled } = watched(
    { fileOperations: disk.fileOperations, mark: (what) => disk.mark(what) },
    grid,
  );
  const source = fakeSource(bytes, {
    chunkBytes: CHUNK,
    corrupt: (position) => {
      nowMs += SECOND_MS / 4;
      if (position >= stopAt) controller.abort(new Error('stopped'));
    },
  });
  const run = transfer(
    optionsOf(proof, join(root, 'file.part'), {
      sources: [patient(source, settled)],
      fileOperations: operations,
      now: () => nowMs,
      signal: controller.signal,
    }),
  );
  if (stopAt === Infinity) await run;
  else await expect(run).rejects.toThrow('stopped');
  return { disk, from, to: disk.history.steps.length };
}

const safeBytes = (disk: PowerLossFs, cut: number): number =>
  disk.history.steps.slice(0, cut).reduce((safe, step) => ('mark' in step ? Number(step.mark.slice(5)) : safe), 0);

/** The journal claims nothing that the disk has lost. A partial that is gone or empty makes every claim void. */
async function checkClaims(root: string, grid: Grid): Promise<void> {
  const partialPath = join(root, 'file.part');
  const held = await readFile(partialPath).catch(() => Buffer.alloc(0));
  const journal = await readFile(journalPathOf(partialPath)).catch(() => undefined);
  const wrong = claims(journal, grid).filter((unit) => {
    const [start, end] = [grid.start(unit), grid.end(unit)];
    return end <= held.length && !held.subarray(start, end).equals(bytes.subarray(start, end));
  });
  expect(wrong).toEqual([]);
}

/** Continues the partial. @returns how many bytes were requested again */
async function resume(root: string, [, proof]: (typeof PROOFS)[number]): Promise<number> {
  let fetched = 0;
  const source = fakeSource(bytes, { chunkBytes: CHUNK, corrupt: (_, chunk) => void (fetched += chunk.length) });
  await transfer(optionsOf(proof, join(root, 'file.part'), { sources: [source] }));
  expect(bytes.equals(await readFile(join(root, 'file.part')))).toBe(true);
  return fetched;
}

async function eachCut(
  { disk, from, to }: Awaited<ReturnType<typeof live>>,
  fates: (cut: number) => readonly Fate[],
  check: (root: string, cut: number) => Promise<void>,
): Promise<void> {
  const root = join(folder, 'after');
  for (let cut = from; cut <= to; cut += 1)
    for (const fate of fates(cut)) {
      disk.cut(cut, fate, root);
      try {
        await check(root, cut);
      } catch (error) {
        const step = JSON.stringify(disk.history.steps[cut - 1], (key, value: unknown) =>
          key === 'bytes' ? '…' : value,
        );
        throw new Error(`cut after step ${cut}, fate ${JSON.stringify(fate)}: ${step}`, { cause: error });
      }
      await rm(root, { recursive: true, force: true });
    }
}

const makeRoot = async (name: string): Promise<string> => {
  await mkdir(join(folder, name));
  return join(folder, name);
};

describe('a transfer at which the power fails', () => {
  it.each(PROOFS)('G19 continues from its last checkpoint, whatever the disk lost (proven by %s)', async (...how) => {
    const lived = await live(await makeRoot('live'), how);
    expect(lived.disk.history.steps.filter((step) => 'mark' in step).length).toBeGreaterThan(1);
    await eachCut(
      lived,
      (cut) => ['nothing', 'everything', { seed: cut }],
      async (root, cut) => {
        await checkClaims(root, how[2]);
        expect(await resume(root, how)).toBeLessThanOrEqual(bytes.length - safeBytes(lived.disk, cut));
      },
    );
  });

  it.each(PROOFS)('G19 survives one cut after another (proven by %s)', async (...how) => {
    const first = await live(await makeRoot('first'), how, 2 * MIB);
    const length = first.to - first.from;
    for (const part of [0.4, 0.8]) {
      const second = join(folder, 'second');
      first.disk.cut(first.from + Math.round(length * part), { seed: part * 100 }, second);
      await eachCut(
        await live(second, how),
        (cut) => [{ seed: cut }],
        async (root) => {
          await checkClaims(root, how[2]);
          await resume(root, how);
        },
      );
      await rm(second, { recursive: true });
    }
  });

  it.each(PROOFS)('G19 uses no journal whose partial was lost (proven by %s)', async (...how) => {
    const first = await live(await makeRoot('first'), how, 2 * MIB);
    const second = join(folder, 'second');
    first.disk.cut(first.to, 'everything', second);
    await rm(join(second, 'file.part'));
    const fates = (cut: number): Fate[] => [cut % 2 === 0 ? 'everything' : { seed: cut }];
    await eachCut(await live(second, how), fates, async (root) => {
      await checkClaims(root, how[2]);
      await resume(root, how);
    });
  });

  it('G19 H01 continues a partial that a crash during publishing left read-only', async () => {
    const partialPath = join(folder, 'file.part');
    await writeFile(partialPath, bytes, { mode: 0o444 });
    // As a user without root's rights meets it.
    const asUser = fileOperationsOn({
      ...nodeFiles,
      descriptors: {
        ...nodeFiles.descriptors,
        async open(path, flags, mode) {
          const isRefused = (flags & constants.O_RDWR) !== 0 && ((await stat(path)).mode & 0o200) === 0;
          if (isRefused) throw Object.assign(new Error('permission denied'), { code: 'EACCES' });
          return nodeFiles.descriptors.open(path, flags, mode);
        },
      },
    });
    const result = await transfer(optionsOf(PROOFS[0]![1], partialPath, { fileOperations: asUser }));
    expect(result.resumedBytes).toBe(bytes.length);
  });

  it('G19 would not go unnoticed if the partial were not synced', async () => {
    const lived = await live(await makeRoot('live'), PROOFS[0]!, Infinity, { ignoresSyncOf: 'files' });
    const check = eachCut(
      lived,
      (cut) => [1, 2, 3, 4].map((n) => ({ seed: cut * n })),
      (root) => checkClaims(root, PROOFS[0]![2]),
    );
    await expect(check).rejects.toThrow('cut after');
  });

  it('G19 would not go unnoticed if the names were not synced', async () => {
    const lived = await live(await makeRoot('live'), PROOFS[0]!, Infinity, { ignoresSyncOf: 'folders' });
    const check = eachCut(
      lived,
      () => ['nothing'],
      async (root, cut) => {
        expect(await resume(root, PROOFS[0]!)).toBeLessThanOrEqual(bytes.length - safeBytes(lived.disk, cut));
      },
    );
    await expect(check).rejects.toThrow('cut after');
  });
});
