import { judge } from '../goals.ts';
import { describeMachine } from '../machine.ts';
import { interleave } from '../rounds.ts';
import { markdownOf, rowOf, type BenchReport, type CaseReport } from '../table.ts';
import { openLab, type Lab, type LabOptions } from '../transfer/lab.ts';
import { HUB_CASES } from './hub-cases.ts';
import { pythonVersions } from './python-programs.ts';
import { SEND_CASES } from './send-cases.ts';
import { storeOf, type ServeCase } from './serve-case.ts';

export interface ServeBenchOptions extends LabOptions {
  readonly rounds: number;
  /** Names of cases; empty: all. */
  readonly only: readonly string[];
}

const CASES: readonly ServeCase[] = [...SEND_CASES, ...HUB_CASES];

/**
 * Measures how a served store sends files that are in memory, against nginx with the same files, and how it mirrors a hub, against another
 * mirror; removes its own.
 *
 * @throws Error when a program of another project is not to be had: `only` leaves its cases out
 */
export async function serveBench(options: ServeBenchOptions): Promise<{ report: BenchReport; markdown: string }> {
  const chosen = choose(options.only);
  const lab = await openLab(options);
  try {
    const cases: CaseReport[] = [];
    for (const one of chosen) cases.push(await measureCase(one, lab, options));
    const { nginx, curl } = lab.programs.versions;
    const python = chosen.some((one) => HUB_CASES.includes(one)) ? { python: pythonVersions() } : {};
    const programs = { nginx: nginx ?? '', curl: curl ?? '', ...python };
    const report = { machine: await describeMachine(lab.folder), programs, cases };
    return { report, markdown: markdownOf(report) };
  } finally {
    await lab.stop();
  }
}

function choose(only: readonly string[]): readonly ServeCase[] {
  const unknown = only.filter((name) => !CASES.some((one) => one.name === name));
  if (unknown.length > 0)
    throw new RangeError(`no case ${unknown.join(', ')}: there are ${CASES.map(({ name }) => name).join(', ')}`);
  return only.length === 0 ? CASES : CASES.filter(({ name }) => only.includes(name));
}

async function measureCase(
  one: ServeCase,
  lab: Lab,
  { quick, rounds, say, signal }: ServeBenchOptions,
): Promise<CaseReport> {
  const mib = quick ? one.quickMib : one.mib;
  const title = `${mib} MiB, ${one.title}`;
  say(`${one.name}: ${title}`);
  const { variants, stop } = await one.open({ lab, mib, home: await storeOf(lab, mib), say, signal });
  try {
    const results = await interleave(variants, { rounds, say, signal, level: async () => undefined });
    const names = variants.map(({ name }) => name);
    return {
      ...{ name: one.name, title, rounds, notes: [one.note] },
      rows: names.map((name, index) => rowOf(name, results[index]!, results[0]!)),
      goals: one.goals.map((goal) => judge(goal, names, results)),
    };
  } finally {
    await stop();
  }
}
