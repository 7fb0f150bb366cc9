import { setTimeout as pause } from 'node:timers/promises';
import { isFinal } from '#core/download-status';
import { MIB, SECOND_MS } from '#core/units';
import type { BenchOptions } from '../bench-options.ts';
import { fact, judge, type Goal } from '../goals.ts';
import { describeMachine } from '../machine.ts';
import type { Measured } from '../measured.ts';
import { cpuMsOf, peakBytesOf } from '../process-facts.ts';
import { interleave, type Variant } from '../rounds.ts';
import { markdownOf, rowOf, type BenchReport } from '../table.ts';
import { openSwarmLab, type SwarmLab } from './swarm-lab.ts';

/** 10 Mbit/s. */
const LINK_BYTES_PER_SECOND = 1_250_000;
const LOOK_EVERY_MS = 100;

const LED = 'A: leases of the API';
const UNLED = 'G: local network, no API';

const GOALS: readonly Goal[] = [
  { id: 'W1', of: LED, what: '× S/U', look: fact('timesBound'), direction: 'at most', hold: 1.25 },
  { id: 'W2', of: LED, what: 'origin copies', look: fact('copies'), direction: 'at most', hold: 1.03 },
  { id: 'W3', of: UNLED, what: 'origin copies', look: fact('copies'), direction: 'at most', hold: 1.3 },
];

/**
 * Brings a file to many hosts at once. Each host and the origin have a link of the same rate, which workers and origin keep themselves
 * (token buckets); all run on this machine.
 */
export async function swarmBench(options: BenchOptions): Promise<{ report: BenchReport; markdown: string }> {
  const { quick, dir, say, signal, rounds } = options;
  const [manyHosts, fewHosts, sizeBytes] = quick ? [8, 4, 16 * MIB] : [20, 8, 64 * MIB];
  const labs: SwarmLab[] = [];
  const open = async (hosts: number, isEnrolled: boolean): Promise<SwarmLab> => {
    const lab = await openSwarmLab({
      ...{ dir, hosts, isEnrolled, say, signal },
      bytesPerSecond: LINK_BYTES_PER_SECOND,
    });
    labs.push(lab);
    return lab;
  };
  try {
    const variants = [
      variantOf(LED, await open(manyHosts, true), sizeBytes, signal),
      variantOf(UNLED, await open(fewHosts, false), sizeBytes, signal),
    ];
    const results = await interleave(variants, { rounds, say, signal, level: async () => undefined });
    const names = variants.map(({ name }) => name);
    const mbits = (LINK_BYTES_PER_SECOND * 8) / 1e6;
    const one = {
      ...{ name: 'swarm', rounds },
      title: `${sizeBytes / MIB} MiB to ${manyHosts} and to ${fewHosts} hosts at once, links of ${mbits} Mbit/s`,
      rows: names.map((name, index) => rowOf(name, results[index]!, results[0]!)),
      goals: GOALS.map((goal) => judge(goal, names, results)),
      notes: ['links are token buckets of the workers and of the origin; CPU is that of the API and the workers'],
    };
    const report = { machine: await describeMachine(labs[0]!.folder), programs: {}, cases: [one] };
    return { report, markdown: markdownOf(report) };
  } finally {
    for (const lab of labs) await lab.close();
  }
}

function variantOf(name: string, lab: SwarmLab, sizeBytes: number, signal: AbortSignal): Variant {
  let file: Awaited<ReturnType<SwarmLab['file']>>;
  return {
    name,
    prepare: async () => void (file = await lab.file(sizeBytes)),
    run: async () => {
      const cpuBefore = cpuOf(lab);
      const sentBefore = lab.origin.bytesSent();
      const wallMs = await spread(lab, file, signal);
      const copies = (lab.origin.bytesSent() - sentBefore) / sizeBytes;
      const timesBound = wallMs / ((sizeBytes / LINK_BYTES_PER_SECOND) * SECOND_MS);
      const peakBytes = Math.max(...lab.processes.map(({ pid }) => peakBytesOf(pid) ?? 0));
      const measured: Measured = { wallMs, cpuMs: cpuOf(lab) - cpuBefore, peakBytes, facts: { copies, timesBound } };
      return measured;
    },
  };
}

const cpuOf = ({ processes }: SwarmLab): number => processes.reduce((sum, { pid }) => sum + cpuMsOf(pid), 0);

/** @returns milliseconds from the order until the last host has the file @throws Error when one does not get it */
async function spread(
  { client, hosts }: SwarmLab,
  { path, sha256, cid, sizeBytes }: Awaited<ReturnType<SwarmLab['file']>>,
  signal: AbortSignal,
): Promise<number> {
  const startedAt = performance.now();
  const files = [{ path, sha256, cid, sizeBytes, sources: [] }];
  const created = await Promise.all(hosts.map((host) => client.createDownloads({ files, host, allowUnknown: true })));
  const ids = created.flatMap(({ downloads }) => downloads.map(({ id }) => id));
  for (;;) {
    const { downloads } = await client.listDownloads({ id: ids });
    if (downloads.every(({ status }) => isFinal(status))) {
      const wrong = downloads.find((one) => one.status !== 'success' || one.sha256 !== sha256);
      if (wrong !== undefined) throw new Error(`${wrong.host} ended as ${wrong.status}: ${wrong.message}`);
      return performance.now() - startedAt;
    }
    await pause(LOOK_EVERY_MS, undefined, { signal });
  }
}
