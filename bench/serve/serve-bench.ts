import { spawn, type ChildProcess } from 'node:child_process';
import { link } from 'node:fs/promises';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { MIB } from '#core/units';
import { openStore } from '#store/open-store';
import { judge, peakMib, wallRatio, type Goal } from '../goals.ts';
import { describeMachine } from '../machine.ts';
import { measureCommands } from '../measure-commands.ts';
import type { Measured } from '../measured.ts';
import { cpuMsOf, peakBytesOf } from '../process-facts.ts';
import { interleave, type Variant } from '../rounds.ts';
import { markdownOf, rowOf, type BenchReport, type CaseReport } from '../table.ts';
import { openLab, type Lab, type LabOptions } from '../transfer/lab.ts';

export interface ServeBenchOptions extends LabOptions {
  readonly rounds: number;
}

const NGINX = 'nginx, sendfile';
const OURS = 'haulier serve';

/** One client that takes a large file, and many that each take a smaller one. */
const CASES = [
  {
    ...{ name: 'one', clients: 1, mib: 2048, quickMib: 256 },
    goals: [
      { id: 'S1', what: 'wall vs nginx', look: wallRatio, direction: 'at most', hold: 1.3, against: NGINX },
      { id: 'S3', what: 'peak MiB', look: peakMib, direction: 'at most', hold: 150, against: undefined },
    ],
  },
  {
    ...{ name: 'many', clients: 64, mib: 128, quickMib: 16 },
    goals: [
      // As much as nginx sends in 1 / 0.8 of its time.
      { id: 'S2', what: 'wall vs nginx', look: wallRatio, direction: 'at most', hold: 1.25, against: NGINX },
      { id: 'S3', what: 'peak MiB', look: peakMib, direction: 'at most', hold: 150, against: undefined },
    ],
  },
] as const;

/** Measures how a served store sends files that are in memory, against nginx with the same files; removes its own. */
export async function serveBench(options: ServeBenchOptions): Promise<{ report: BenchReport; markdown: string }> {
  const lab = await openLab(options);
  try {
    const cases: CaseReport[] = [];
    for (const one of CASES) cases.push(await measureCase(one, lab, options));
    const { nginx, curl } = lab.programs.versions;
    const programs = { nginx: nginx ?? '', curl: curl ?? '' };
    const report = { machine: await describeMachine(lab.folder), programs, cases };
    return { report, markdown: markdownOf(report) };
  } finally {
    await lab.stop();
  }
}

async function measureCase(
  one: (typeof CASES)[number],
  lab: Lab,
  { quick, rounds, say, signal }: ServeBenchOptions,
): Promise<CaseReport> {
  const mib = quick ? one.quickMib : one.mib;
  const title = `${one.clients} at once, each ${mib} MiB, warm, over loopback`;
  say(`${one.name}: ${title}`);
  const served = await startServed(lab, mib);
  try {
    const take = (url: string): Promise<Measured> => measureCommands([curlOf(lab, url, one.clients)], signal);
    const variants: Variant[] = [
      { name: NGINX, prepare: async () => undefined, run: () => take(`${lab.origin.plainUrl}/${mib}.bin`) },
      { name: OURS, prepare: async () => undefined, run: () => served.measured(take) },
    ];
    const results = await interleave(variants, { rounds, say, signal, level: async () => undefined });
    const names = variants.map(({ name }) => name);
    return {
      ...{ name: one.name, title, rounds },
      rows: names.map((name, index) => rowOf(name, results[index]!, results[0]!)),
      goals: one.goals.map((goal: Omit<Goal, 'of'>) => judge({ ...goal, of: OURS }, names, results)),
      notes: ['wall is that of curl; CPU and memory are curl’s at nginx, and the server’s at ours'],
    };
  } finally {
    await served.stop();
  }
}

const curlOf = ({ programs }: Lab, url: string, clients: number) => ({
  program: programs.curl,
  args:
    clients === 1
      ? ['-sS', '-f', '-o', '/dev/null', url]
      : [
          ...['-sS', '-f', '-Z', '--parallel-immediate', '--parallel-max', `${clients}`, '-o', '/dev/null'],
          `${url}?[1-${clients}]`,
        ],
});

interface ServedFile {
  /** Runs the client and adds what the server cost meanwhile. */
  measured(take: (url: string) => Promise<Measured>): Promise<Measured>;
  stop(): Promise<void>;
}

/** `haulier serve` over a store that has the very file that nginx serves, by a hard link: both read the same pages. */
async function startServed(lab: Lab, mib: number): Promise<ServedFile> {
  const file = await lab.file(mib);
  const home = join(lab.folder, `store-${mib}`);
  const store = await openStore({ home });
  const partialPath = join(store.paths.partials, 'bench.part');
  await link(join(lab.www, `${mib}.bin`), partialPath);
  const sources = [{ kind: 'huggingface', repo: 'bench/file', revision: 'main', path: 'file.bin' }] as const;
  const view = { model: 'bench', version: '1', path: 'file.bin', sources };
  await store.publish({ partialPath, sha256: file.sha256, sizeBytes: mib * MIB, view });
  const child = spawn(process.execPath, [lab.cli, 'serve', '--port', '0'], {
    env: { PATH: process.env['PATH'], HAULIER_HOME: home },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const url = `${await urlOf(child)}/bench/file/resolve/main/file.bin`;
  return {
    async measured(take) {
      const before = cpuMsOf(child.pid!);
      const { wallMs } = await take(url);
      return { wallMs, cpuMs: cpuMsOf(child.pid!) - before, peakBytes: peakBytesOf(child.pid!) ?? Number.NaN };
    },
    async stop() {
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      await ended;
    },
  };
}

/** @throws Error when it ends before it says where it serves */
async function urlOf(child: ChildProcess): Promise<string> {
  for await (const line of createInterface({ input: child.stdout! })) {
    const url = /HF_ENDPOINT=(\S+)/.exec(line)?.[1];
    if (url !== undefined) return url;
  }
  throw new Error('haulier serve ended before it served');
}
