import { MIB } from '#core/units';
import type { BenchOptions } from '../bench-options.ts';
import { judge, type Goal } from '../goals.ts';
import { describeMachine, type Machine } from '../machine.ts';
import type { Measured } from '../measured.ts';
import { interleave, type Variant } from '../rounds.ts';
import { markdownOf, rowOf, type BenchReport, type CaseReport } from '../table.ts';
import { chosenCases, type CaseParts } from './cases.ts';
import { EQUAL_GOALS, equalVariants, hostsOf, LINK_BYTES_PER_SECOND } from './equal-links.ts';
import { refusalOfNamespaces } from './links/namespaces.ts';
import { plainVariant, SITES, SITES_GOALS, sitesPlan, UNLED, UNLED_GOALS, unledPlan } from './other-networks.ts';
import { beginSpread, endSpread } from './spread.ts';
import { openSwarmLab, type LabPlan, type SwarmLab } from './swarm-lab.ts';
import { aria2Versions, runAria2 } from './torrent/aria2.ts';

/** Cases that share a network, and run in turn in each round. */
interface Group {
  readonly name: string;
  readonly title: string;
  readonly plan: LabPlan;
  readonly variants: (lab: SwarmLab, parts: CaseParts) => readonly Variant[];
  readonly goals: readonly Goal[];
  readonly notes: readonly string[];
}

/**
 * Brings a file to many hosts at once, over links of a limited rate. Each round begins with an empty fleet. As root on Linux the links are
 * those of network namespaces; otherwise the programs keep the rates themselves, and what needs a network is left out.
 */
export async function swarmBench(
  options: BenchOptions & { readonly only: readonly string[] },
): Promise<{ report: BenchReport; markdown: string }> {
  const { quick, signal, rounds } = options;
  const only = chosenCases(options.only);
  const sizeBytes = quick ? 16 * MIB : 64 * MIB;
  const refusal = await refusalOfNamespaces();
  const others = refusal === undefined ? await aria2Versions() : undefined;
  const parts = { only, quick, sizeBytes, signal };
  const groups = groupsOf({ ...parts, round: 0 }, refusal, others !== undefined);
  const cases: CaseReport[] = [];
  let machine: Machine | undefined;
  for (const group of groups) {
    const results = new Map<string, Measured[]>();
    for (let round = 1; round <= rounds; round += 1)
      machine = await runRound(group, { ...parts, round }, options, results);
    const names = [...results.keys()];
    const runs = [...results.values()];
    cases.push({
      ...{ name: group.name, title: group.title, rounds, notes: [...group.notes, ...factsOf(names, runs)] },
      rows: names.map((name, index) => rowOf(name, runs[index]!, runs[0]!)),
      goals: group.goals.filter((goal) => isJudged(goal, names)).map((goal) => judge(goal, names, runs)),
    });
  }
  const report = { machine: machine!, programs: { ...others }, cases };
  return { report, markdown: markdownOf(report) };
}

const isJudged = ({ of, against }: Goal, names: readonly string[]): boolean =>
  names.includes(of) && (against === undefined || names.includes(against));

/** In a fleet of its own, so that no round finds what an earlier one left. */
async function runRound(
  { plan, variants }: Group,
  parts: CaseParts,
  { dir, say, signal, rounds }: BenchOptions,
  results: Map<string, Measured[]>,
): Promise<Machine> {
  signal.throwIfAborted();
  const lab = await openSwarmLab(plan, { dir, say, signal });
  try {
    await warmUp(lab, plan, signal);
    const chosen = variants(lab, parts);
    say(`round ${parts.round}/${rounds}`);
    const level = async (): Promise<void> => undefined;
    const runs = await interleave(chosen, { rounds: 1, say, signal, level, hasWarmUp: false });
    for (const [index, { name }] of chosen.entries())
      results.set(name, [...(results.get(name) ?? []), ...runs[index]!]);
    return await describeMachine(lab.folder);
  } finally {
    await lab.close();
  }
}

/** Brings a small file to all hosts: the start of the workers is not measured. Hosts that answer wrongly would be known by it. */
async function warmUp(lab: SwarmLab, { hosts }: LabPlan, signal: AbortSignal): Promise<void> {
  const file = await lab.origin.make({ seed: 'warm-up', sizeBytes: 4 * MIB });
  const good = hosts.filter(({ answers }) => answers === undefined).map(({ name }) => name);
  const { facts } = await endSpread(await beginSpread(lab, file, good, signal), {
    bytesPerSecond: LINK_BYTES_PER_SECOND,
  });
  if (facts?.['unfinished'] !== 0) throw new Error('a host of the bench did not get its first file');
}

function groupsOf(parts: CaseParts, refusal: string | undefined, hasOthers: boolean): Group[] {
  const { only, sizeBytes, signal } = parts;
  const hasNamespaces = refusal === undefined;
  const [mib, mbits] = [sizeBytes / MIB, (LINK_BYTES_PER_SECOND * 8) / 1e6];
  const links = hasNamespaces ? 'network namespaces with tbf' : `token buckets of the programs (${refusal})`;
  const notes = [`links: ${links}; CPU is that of the API and the workers`];
  const { good, all } = hostsOf(parts);
  const torrents = (lab: SwarmLab) => ({
    ...{ network: lab.network, folder: lab.folder, hosts: good, bytesPerSecond: LINK_BYTES_PER_SECOND, signal },
  });
  const equal: Group = {
    ...{ name: 'equal links', title: `${mib} MiB to ${good.length} hosts, ${mbits} Mbit/s each`, goals: EQUAL_GOALS },
    plan: { hosts: all, originBytesPerSecond: LINK_BYTES_PER_SECOND, isEnrolled: true, hasNamespaces },
    variants: (lab, now) => equalVariants(now, lab, hasOthers ? (file) => runAria2(torrents(lab), file) : undefined),
    notes: hasOthers
      ? notes
      : [...notes, 'aria2 is compared where aria2c, opentracker and network namespaces are there'],
  };
  const [sites, unled] = [sitesPlan(parts), unledPlan(parts, hasNamespaces)];
  const two: Group = {
    ...{ name: 'sites', title: `${mib} MiB to 2 sites of ${sites.hosts.length / 2}, ${mbits} Mbit/s into each`, notes },
    ...{ plan: sites, goals: SITES_GOALS, variants: (lab, now) => [plainVariant(SITES, sites, now, lab)] },
  };
  const local: Group = {
    ...{ name: 'local network', title: `${mib} MiB to ${unled.hosts.length} hosts, ${mbits} Mbit/s each`, notes },
    ...{ plan: unled, goals: UNLED_GOALS, variants: (lab, now) => [plainVariant(UNLED, unled, now, lab)] },
  };
  return [
    ...(['a', 'c', 'd', 'e', 'f'].some((letter) => only.has(letter)) ? [equal] : []),
    ...(only.has('b') && hasNamespaces ? [two] : []),
    ...(only.has('g') ? [local] : []),
  ];
}

/** What was counted in each round. */
const factsOf = (names: readonly string[], runs: readonly (readonly Measured[])[]): string[] =>
  names.map((name, index) => {
    const texts = runs[index]!.map(({ facts = {} }) =>
      Object.entries(facts)
        .map(([key, value]) => `${key} ${value.toFixed(3)}`)
        .join(', '),
    );
    return `${name.slice(0, 2)} ${texts.join(' · ')}`;
  });
