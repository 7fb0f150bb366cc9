import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MIB } from '#core/units';
import { runCommand } from '#embedded/command';
import { findProgram, type Program } from '#embedded/find-program';
import { openStore } from '#store/open-store';
import type { BenchOptions } from '../bench-options.ts';
import { judge, wallRatio, type Goal } from '../goals.ts';
import { describeMachine } from '../machine.ts';
import { measureCommands } from '../measure-commands.ts';
import type { Measured } from '../measured.ts';
import { forgetPeak, peakBytesOf } from '../process-facts.ts';
import { interleave, type Variant } from '../rounds.ts';
import { markdownOf, rowOf, type BenchReport, type CaseReport } from '../table.ts';
import { levelGround } from '../transfer/level-ground.ts';
import { makeArchive, makeWeights, type Weights } from './make-archive.ts';

const MIB_OF_WEIGHTS = 512;
const QUICK_MIB = 64;
/** Node has zstd of its own from 22.15 on. */
const HOLD = 'zstd' in process.versions ? 1.2 : 2;

const TAR = 'tar -x, then sha256sum';
const OURS = 'unpack';
const GOALS: readonly Goal[] = [
  { id: 'unpack', of: OURS, against: TAR, what: 'wall vs tar', look: wallRatio, direction: 'at most', hold: HOLD },
];

const CASES = [
  { name: 'zst', how: 'default window', zstdArgs: [] },
  { name: 'zst-long', how: '--long=27', zstdArgs: ['--long=27'] },
] as const;

interface Bench extends BenchOptions {
  readonly folder: string;
  readonly tar: Program;
  readonly zstd: Program;
  readonly sha256sum: Program;
}

/** Measures how a worker unpacks a .tar.zst against the usual programs; removes its files. */
export async function unpackBench(options: BenchOptions): Promise<{ report: BenchReport; markdown: string }> {
  const cacheDir = join(fileURLToPath(new URL('../../..', import.meta.url)), '.cache');
  const find = (name: string, pack: string) =>
    findProgram(name, { packages: [pack], cacheDir, onProgress: options.say });
  const programs = {
    tar: await find('tar', 'tar'),
    zstd: await find('zstd', 'zstd'),
    sha256sum: await find('sha256sum', 'coreutils'),
  };
  const folder = await mkdtemp(join(options.dir ?? tmpdir(), 'haulier-bench-'));
  try {
    const weights = await makeWeights(join(folder, 'weights.bin'), (options.quick ? QUICK_MIB : MIB_OF_WEIGHTS) * MIB);
    const cases: CaseReport[] = [];
    for (const one of CASES) cases.push(await measureCase(one, { ...options, ...programs, folder }, weights));
    const versions = { tar: await versionOf('tar', programs.tar), zstd: await versionOf('zstd', programs.zstd) };
    const report = { machine: await describeMachine(folder), programs: versions, cases };
    return { report, markdown: markdownOf(report) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function versionOf(name: string, program: Program): Promise<string> {
  const env = { PATH: process.env['PATH'] ?? '', ...program.env };
  const words = await runCommand(program.path, ['--version'], { env });
  return `${name} ${/\d+(\.\d+)+/.exec(words)?.[0] ?? ''}`;
}

async function measureCase(one: (typeof CASES)[number], bench: Bench, weights: Weights): Promise<CaseReport> {
  const title = `${weights.sizeBytes / MIB} MiB of weights in a .tar.zst, ${one.how}`;
  bench.say(`${one.name}: ${title}`);
  const archive = await makeArchive(bench, weights, `${one.name}.tar.zst`, one.zstdArgs);
  const variants = [tarVariant(bench, archive), ourVariant(bench, archive, weights)];
  const level = (): Promise<void> => levelGround(join(bench.folder, 'level'), weights.sizeBytes);
  const results = await interleave(variants, { ...bench, level });
  const names = variants.map(({ name }) => name);
  return {
    name: one.name,
    title,
    rounds: bench.rounds,
    rows: names.map((name, index) => rowOf(name, results[index]!, results[0]!)),
    goals: GOALS.map((goal) => judge(goal, names, results)),
    notes: [],
  };
}

/** Decompression runs beside tar, in a process of its own. */
function tarVariant({ folder, tar, zstd, sha256sum, signal }: Bench, archive: string): Variant {
  const target = join(folder, 'by-tar');
  return emptying(target, TAR, () =>
    measureCommands(
      [
        { program: tar, args: ['-I', zstd.path, '-xf', archive, '-C', target], env: zstd.env },
        { program: sha256sum, args: [join(target, 'weights.bin')] },
      ],
      signal,
    ),
  );
}

/** As a worker does it: written under a private name, hashed, synced, published under its content and its name. */
function ourVariant({ folder, signal }: Bench, archive: string, { sizeBytes, sha256 }: Weights): Variant {
  const home = join(folder, 'store');
  return emptying(home, OURS, async () => {
    const store = await openStore({ home });
    forgetPeak();
    const cpuBefore = process.cpuUsage();
    const startedAt = performance.now();
    await store.unpack({
      ...{ archivePath: archive, path: 'weights.tar.zst', as: 'tar.zst', signal },
      files: [{ path: 'weights.bin', sizeBytes, sha256 }],
      view: { model: 'weights', version: '1' },
    });
    const wallMs = performance.now() - startedAt;
    const { user, system } = process.cpuUsage(cpuBefore);
    return { wallMs, cpuMs: (user + system) / 1000, peakBytes: peakBytesOf('self') ?? NaN };
  });
}

function emptying(folder: string, name: string, run: () => Promise<Measured>): Variant {
  return {
    name,
    prepare: async () => {
      await rm(folder, { recursive: true, force: true });
      await mkdir(folder, { recursive: true });
    },
    run,
  };
}
