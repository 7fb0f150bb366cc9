import { judge } from '../goals.ts';
import { describeMachine } from '../machine.ts';
import { interleave } from '../rounds.ts';
import { markdownOf, rowOf, type BenchReport, type CaseReport } from '../table.ts';
import type { BenchCase } from './bench-case.ts';
import { byCidCases } from './by-cid.ts';
import { listedFilesCase } from './listed-files.ts';
import { openLab, type Lab, type LabOptions } from './lab.ts';
import { limitedCase } from './limited.ts';
import { levelGround } from './level-ground.ts';
import { manyAtOnceCase } from './many-at-once.ts';
import { oneFileCases } from './one-file.ts';
import { resumedCase } from './resumed.ts';
import { smallFilesCase } from './small-files.ts';
import { throttledCase } from './throttled.ts';

const CASES: readonly BenchCase[] = [
  ...oneFileCases,
  ...byCidCases,
  limitedCase,
  smallFilesCase,
  listedFilesCase,
  manyAtOnceCase,
  throttledCase,
  resumedCase,
];

export interface TransferBenchOptions extends LabOptions {
  readonly rounds: number;
  /** Names of cases; none: all. */
  readonly only: readonly string[];
}

/** Measures the transfer engine against the usual programs; removes its files. */
export async function transferBench(options: TransferBenchOptions): Promise<{ report: BenchReport; markdown: string }> {
  const chosen = choose(options.only);
  const lab = await openLab(options);
  try {
    const cases: CaseReport[] = [];
    for (const one of chosen) cases.push(await measureCase(one, lab, options));
    const report = { machine: await describeMachine(lab.folder), programs: lab.programs.versions, cases };
    return { report, markdown: markdownOf(report) };
  } finally {
    await lab.stop();
  }
}

function choose(only: readonly string[]): readonly BenchCase[] {
  const unknown = only.filter((name) => !CASES.some((one) => one.name === name));
  if (unknown.length > 0)
    throw new RangeError(`no case "${unknown.join('", "')}": one of ${CASES.map(({ name }) => name).join(', ')}`);
  return only.length === 0 ? CASES.filter(({ isExtra }) => !isExtra) : CASES.filter(({ name }) => only.includes(name));
}

async function measureCase(one: BenchCase, lab: Lab, options: TransferBenchOptions): Promise<CaseReport> {
  const title = one.title(options.quick);
  options.say(`${one.name}: ${title}`);
  const { variants, writtenBytes, notes = [] } = await one.prepare(lab);
  const rounds = Math.min(options.rounds, one.mostRounds ?? Infinity);
  const level = (): Promise<void> => levelGround(lab.target('level'), writtenBytes);
  const results = await interleave(variants, { ...options, rounds, level });
  await lab.stopEngines();
  const names = variants.map(({ name }) => name);
  return {
    name: one.name,
    title,
    rounds,
    rows: names.map((name, index) => rowOf(name, results[index]!, results[0]!)),
    goals: one.goals.filter(({ of }) => names.includes(of)).map((goal) => judge(goal, names, results)),
    notes,
  };
}
