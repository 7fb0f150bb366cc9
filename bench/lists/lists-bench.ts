import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DAY_MS } from '#core/units';
import type { BenchOptions } from '../bench-options.ts';
import { fact, judge, type Goal } from '../goals.ts';
import { describeMachine } from '../machine.ts';
import type { Measured } from '../measured.ts';
import { percentile } from '../percentile.ts';
import { cpuMsOf, peakBytesOf } from '../process-facts.ts';
import { openQueueLab, type QueueLab } from '../queue/queue-lab.ts';
import { seed } from '../seed/seed-all.ts';
import { markdownOf, rowOf, type BenchReport } from '../table.ts';
import { findProjectFiles } from '../../apps/api/project-files.ts';
import { pathsOf } from './paths.ts';

const HOSTS = 10_000;
const DAYS = 30;
const DOWNLOADS = 1_000_000;
const READS = 10;
const MOST_MS = 150;
const SUMMARY_MOST_MS = 300;

/** Measures every list and search of the API over a seeded fleet; removes everything. */
export async function listsBench(options: BenchOptions): Promise<{ report: BenchReport; markdown: string }> {
  const share = options.quick ? 10 : 1;
  const size = { hosts: HOSTS / share, downloads: DOWNLOADS / share };
  const cacheDir = join(fileURLToPath(new URL('../../..', import.meta.url)), '.cache');
  const lab = await openQueueLab({ ...options, cacheDir, env: { HAULIER_LOG_LEVEL: 'warn' } });
  try {
    await fill(lab, size, options);
    const paths = await pathsOf(lab.database, async (path) => {
      const answer = await fetch(`${lab.stack.apiUrl}${path}`, { headers: { authorization: `Bearer ${lab.token}` } });
      return ((await answer.json()) as { links?: { next?: string | null } }).links?.next;
    });
    const results: Measured[][] = paths.map(() => []);
    await refuseBroken(lab, paths);
    for (let round = 0; round <= options.rounds; round += 1) {
      options.say(`  ${round === 0 ? 'warm-up' : `round ${round}/${options.rounds}`}`);
      for (const [place, path] of paths.entries()) {
        const measured = await readOften(lab, path, options.signal);
        const p95Ms = measured.facts?.['p95Ms'] ?? NaN;
        if (p95Ms > MOST_MS) options.say(`    ${p95Ms.toFixed(0)} ms  ${path}`);
        if (round > 0) results[place]!.push(measured);
      }
    }
    const names = paths.map((path) => path.replace(/cursor=[^&]*/, 'cursor=…'));
    const lists = {
      ...{ name: 'lists', title: `${size.hosts} hosts, ${size.downloads} downloads, ${DAYS} days` },
      ...{ rounds: options.rounds, notes: [] },
      rows: names.map((name, index) => rowOf(name, results[index]!, results[index]!)),
      goals: names.map((name, index) => judge(goalOf(name, index), names, results)),
    };
    const report = { machine: await describeMachine(lab.folder), programs: {}, cases: [lists] };
    return { report, markdown: markdownOf(report) };
  } finally {
    await lab.close();
  }
}

const goalOf = (name: string, index: number): Goal => ({
  ...{ id: `P${index + 1}`, of: name, what: 'ms, p95', look: fact('p95Ms'), direction: 'at most' },
  hold: /^\/api\/metrics\/(summary|query|health)/.test(name) ? SUMMARY_MOST_MS : MOST_MS,
});

async function fill(lab: QueueLab, size: { hosts: number; downloads: number }, { say }: BenchOptions) {
  let saidAt = -Infinity;
  await seed(lab.database, {
    ...{ ...size, days: DAYS, onlineForMs: DAY_MS, now: new Date() },
    migrations: findProjectFiles(import.meta.url).migrations,
    report: (step, done) => {
      if (performance.now() - saidAt < 5000) return;
      saidAt = performance.now();
      say(`  ${step} ${done}`);
    },
  });
}

/** @throws Error that names every address which does not answer 200 */
async function refuseBroken({ stack, token }: QueueLab, paths: readonly string[]): Promise<void> {
  const broken: string[] = [];
  for (const path of paths) {
    const answer = await fetch(`${stack.apiUrl}${path}`, { headers: { authorization: `Bearer ${token}` } });
    const text = await answer.text();
    if (!answer.ok) broken.push(`${path} answers ${answer.status}: ${text.slice(0, 300)}`);
  }
  if (broken.length > 0) throw new Error(broken.join('\n'));
}

async function readOften({ stack, token }: QueueLab, path: string, signal: AbortSignal): Promise<Measured> {
  const { pid } = stack.api;
  const times: number[] = [];
  const [startedAt, cpuBefore] = [performance.now(), cpuMsOf(pid)];
  for (let read = 0; read < READS; read += 1) {
    const from = performance.now();
    const answer = await fetch(`${stack.apiUrl}${path}`, { headers: { authorization: `Bearer ${token}` }, signal });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${path} answers ${answer.status}: ${text.slice(0, 300)}`);
    times.push(performance.now() - from);
  }
  return {
    wallMs: performance.now() - startedAt,
    cpuMs: cpuMsOf(pid) - cpuBefore,
    peakBytes: peakBytesOf(pid) ?? NaN,
    facts: { p95Ms: percentile(times, 0.95) },
  };
}
