import { MIB } from '#core/units';
import type { GoalOutcome } from './goals.ts';
import type { Machine } from './machine.ts';
import { medianOf, type Measured } from './measured.ts';

export interface Row {
  readonly variant: string;
  readonly wallSeconds: number;
  /** Medians of the ratios to the first variant of the case in the same round. */
  readonly wallRatio: number;
  readonly cpuSeconds: number;
  readonly cpuRatio: number;
  readonly peakMib: number;
}

export interface CaseReport {
  readonly name: string;
  readonly title: string;
  readonly rounds: number;
  readonly rows: readonly Row[];
  readonly goals: readonly GoalOutcome[];
  /** What could not be measured here, and why. */
  readonly notes: readonly string[];
}

export interface BenchReport {
  readonly machine: Machine;
  readonly programs: Readonly<Record<string, string>>;
  readonly cases: readonly CaseReport[];
}

export function rowOf(variant: string, runs: readonly Measured[], first: readonly Measured[]): Row {
  const middle = (look: (run: Measured, base: Measured) => number): number =>
    medianOf(runs.map((run, round) => look(run, first[round]!)));
  return {
    variant,
    wallSeconds: middle((run) => run.wallMs / 1000),
    wallRatio: middle((run, base) => run.wallMs / base.wallMs),
    cpuSeconds: middle((run) => run.cpuMs / 1000),
    cpuRatio: middle((run, base) => run.cpuMs / base.cpuMs),
    peakMib: middle((run) => run.peakBytes / MIB),
  };
}

/** One table for everything; the goals of a case stand in the rows of the variant that they judge. */
export function markdownOf({ machine, programs, cases }: BenchReport): string {
  const { cpu, cores, memoryGib, kernel, node, fileSystem, date } = machine;
  const lines = [
    `${date} · ${cpu}, ${cores} cores, ${memoryGib} GiB · Linux ${kernel} · Node ${node} · ${fileSystem} · ` +
      Object.values(programs).join(' · '),
    '',
    '| case | what | wall s | × first | CPU s | × first | peak MiB | goals |',
    '|---|---|--:|--:|--:|--:|--:|---|',
    ...cases.flatMap((one) => [
      ...one.rows.map((row, index) => lineOf(one, row, index === 0)),
      ...one.notes.map((note) => `| | *${note}* | | | | | | |`),
    ]),
  ];
  return `${lines.join('\n')}\n`;
}

function lineOf(report: CaseReport, row: Row, isFirst: boolean): string {
  const goals = report.goals.filter(({ of }) => of === row.variant).map(goalText);
  const name = isFirst ? `**${report.name}** ${report.title}; ${report.rounds} rounds` : '';
  const cells = [
    name,
    row.variant,
    row.wallSeconds.toFixed(3),
    row.wallRatio.toFixed(2),
    row.cpuSeconds.toFixed(2),
    row.cpuRatio.toFixed(2),
    row.peakMib.toFixed(0),
    goals.join('; '),
  ];
  return `| ${cells.join(' | ')} |`;
}

function goalText({ id, what, value, direction, hold, held }: GoalOutcome): string {
  const sign = direction === 'at most' ? '≤' : '≥';
  const shown = Math.abs(value) >= 100 ? value.toFixed(0) : value.toFixed(2);
  return `${id} ${what} ${shown} (${sign} ${hold}) ${held ? 'held' : '**missed**'}`;
}
