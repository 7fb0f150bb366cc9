import { createHash, randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findProgram, type Program } from '#embedded/find-program';
import { blobPath, storePaths, type StorePaths } from '#store/layout';
import { encodeRecords, type FileRecord } from '#store/models/model-records';
import type { BenchOptions } from '../bench-options.ts';
import { judge, peakMib, wallRatio, type Goal } from '../goals.ts';
import { describeMachine } from '../machine.ts';
import { measureCommands, type Command } from '../measure-commands.ts';
import { interleave, type Variant } from '../rounds.ts';
import { markdownOf, rowOf, type BenchReport } from '../table.ts';

const COUNT = 10_000;
const QUICK_COUNT = 2_000;
const FILE_BYTES = 1000;
const RIVAL = 'tar cf, then sha256sum';
const OURS = 'haulier bundle create';

const GOALS: readonly Goal[] = [
  {
    ...{ id: 'B1', of: OURS, against: RIVAL, what: 'wall vs tar and sha256sum', look: wallRatio },
    ...{ direction: 'at most', hold: 1.5 },
  },
  { id: 'B2', of: OURS, what: 'peak MiB', look: peakMib, direction: 'at most', hold: 124 },
];

/** Measures what a bundle of many small files costs; removes its files. */
export async function bundleBench(options: BenchOptions): Promise<{ report: BenchReport; markdown: string }> {
  const { say, signal, quick } = options;
  const folder = await mkdtemp(join(options.dir ?? tmpdir(), 'haulier-bench-'));
  const count = quick ? QUICK_COUNT : COUNT;
  try {
    say(`making a store of ${count} files`);
    const files = await makeStore(join(folder, 'home'), join(folder, 'files'), count);
    const variants = await variantsOf(folder, files, signal);
    const results = await interleave(variants, { ...options, level: () => Promise.resolve() });
    const names = variants.map(({ name }) => name);
    const bundle = {
      name: 'bundle',
      title: `${count} files of ${FILE_BYTES} bytes`,
      rounds: options.rounds,
      rows: names.map((name, index) => rowOf(name, results[index]!, results[0]!)),
      goals: GOALS.map((goal) => judge(goal, names, results)),
      notes: [],
    };
    const report = { machine: await describeMachine(folder), programs: {}, cases: [bundle] };
    return { report, markdown: markdownOf(report) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The same files as a store has them, and as they lie in a folder. @returns their names there */
async function makeStore(home: string, plain: string, count: number): Promise<string[]> {
  const paths: StorePaths = storePaths(home);
  const files = new Map<string, FileRecord>();
  await mkdir(plain);
  for (let index = 0; index < count; index += 1) {
    const bytes = randomBytes(FILE_BYTES);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    const path = `${String(index).padStart(6, '0')}.bin`;
    files.set(path, { sha256, sizeBytes: FILE_BYTES, publishedAt: new Date(0).toISOString() });
    await mkdir(dirname(blobPath(paths, sha256)), { recursive: true });
    await writeFile(blobPath(paths, sha256), bytes);
    await writeFile(join(plain, path), bytes);
  }
  const version = { type: 'model', ipfsHash: null, hfRevision: null, replacedAt: null, pinned: false, files };
  const versions = new Map([['1', { ...version, downloadedAt: new Date(0).toISOString() }]]);
  await mkdir(paths.models, { recursive: true });
  await writeFile(paths.manifests, encodeRecords(new Map([['m', { version: '1', previousVersion: null, versions }]])));
  return [...files.keys()];
}

async function variantsOf(folder: string, files: readonly string[], signal: AbortSignal): Promise<Variant[]> {
  const cacheDir = join(folder, 'programs');
  const find = (name: string, packages: readonly string[]): Promise<Program> =>
    findProgram(name, { packages, cacheDir, versionArgs: ['--version'] });
  const [tar, sha256sum] = [await find('tar', ['tar']), await find('sha256sum', ['coreutils'])];
  const plain = join(folder, 'files');
  const out = join(folder, 'out.tar');
  const cli = fileURLToPath(new URL('../../bundles/cli/main.js', import.meta.url));
  const variant = (name: string, commands: readonly Command[]): Variant => ({
    name,
    prepare: () => rm(out, { force: true }),
    run: () => measureCommands(commands, signal),
  });
  return [
    variant(RIVAL, [
      { program: tar, args: ['cf', out, '-C', plain, '.'] },
      { program: sha256sum, args: files, cwd: plain },
    ]),
    variant(OURS, [
      {
        program: { path: process.execPath, env: { HAULIER_HOME: join(folder, 'home') } },
        args: [cli, 'bundle', 'create', 'm', '-o', out, '--json', '--progress', 'none'],
      },
    ]),
  ];
}
