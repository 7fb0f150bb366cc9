import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { formatBytes, formatDuration } from '#core/units';
import { chaos, type ChaosReport } from './soak/chaos/chaos.ts';
import { killMatrix, type KillReport } from './soak/kill.ts';

const USAGE = `usage: npm run soak -- kill [--rounds 100] [--seed N] [--size-mb 200]
       npm run soak -- chaos [--rounds 1] [--seed N] [--hosts 200] [--files 240]

  kill   a fetch that is killed at random moments
  chaos  a fleet whose API, workers, Redis and PostgreSQL are broken at random moments; each round has the next seed
`;
const NOTICE_MS = 10_000;
const OPTIONS = ['rounds', 'seed', 'size-mb', 'hosts', 'files'] as const;
const DIST = fileURLToPath(new URL('..', import.meta.url));
const CACHE = fileURLToPath(new URL('../../.cache', import.meta.url));

const print = (text: string): void => void process.stdout.write(text);

/** Long runs that find faults which a test of seconds would miss. Exit: 0 nothing found, 1 a guarantee was broken, 2 usage. */
async function main(words: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: words,
    allowPositionals: true,
    options: Object.fromEntries(OPTIONS.map((name) => [name, { type: 'string' as const }])),
  });
  const given = numbersOf(values);
  const soak = new Map(Object.entries(SOAKS)).get(positionals.join(' '));
  if (given !== undefined && soak !== undefined) return soak(given);
  print(USAGE);
  return 2;
}

type Given = Partial<Record<(typeof OPTIONS)[number], number>>;

/** @returns undefined when one is not a whole number, or counts nothing */
function numbersOf(values: Readonly<Record<string, unknown>>): Given | undefined {
  const numbers = Object.entries(values).map(([name, text]) => [name, Number(text)] as const);
  const areFine = numbers.every(
    ([name, number]) => Number.isSafeInteger(number) && number >= (name === 'seed' ? 0 : 1),
  );
  return areFine ? Object.fromEntries(numbers) : undefined;
}

const seedOf = ({ seed }: Given): number => seed ?? Date.now() % 1_000_000;

const SOAKS = {
  kill: (given: Given) => soakKill(given.rounds ?? 100, seedOf(given), (given['size-mb'] ?? 200) * 1e6),
  chaos: (given: Given) => soakChaos(given.rounds ?? 1, seedOf(given), given.hosts ?? 200, given.files ?? 240),
};

/** Blows of one round, for 48,000 downloads. */
const BLOWS = { api: 20, worker: 6, flush: 2, delete: 400, redis: 1, postgres: 1 };
/** Most runs of jobs beyond one for each download. */
const MAX_EXTRA_SHARE = 0.02;

async function soakChaos(rounds: number, seed: number, hosts: number, filesPerHost: number): Promise<number> {
  let failed = 0;
  for (let round = 0; round < rounds; round += 1) {
    print(`chaos: ${hosts} hosts × ${filesPerHost} files, seed ${seed + round}\n`);
    const report = await chaos({
      ...{ hosts, filesPerHost, requests: 240, blows: BLOWS, seed: seed + round, silentAfter: '15s' },
      ...{ apis: 2, workerProcesses: 4, longestJobMs: 100, distDir: DIST, cacheDir: CACHE },
      say: (line) => print(`${line}\n`),
    });
    print(chaosTable(report));
    if (report.violations.length > 0 || report.extraStarts > MAX_EXTRA_SHARE * report.wanted) failed += 1;
  }
  print(`${rounds - failed} of ${rounds} rounds held\n`);
  return failed === 0 ? 0 : 1;
}

const chaosTable = ({ wanted, lost, doubled, extraStarts, violations, blows, ms }: ChaosReport): string =>
  table(
    [
      ['downloads', String(wanted)],
      ['blows', String(blows.length)],
      ['lost', String(lost)],
      ['doubled in effect', String(doubled)],
      ['extra starts', `${extraStarts} (${((extraStarts / wanted) * 100).toFixed(2)} %, at most 2 %)`],
      ['time', formatDuration(ms)],
    ],
    violations,
  );

async function soakKill(rounds: number, seed: number, sizeBytes: number): Promise<number> {
  print(`kill matrix: ${rounds} kills of a fetch of ${formatBytes(sizeBytes)}, seed ${seed}\n`);
  const startedAt = performance.now();
  let saidAt = startedAt;
  let toldViolations = 0;
  const onRound = ({ kills, files, violations }: KillReport): void => {
    for (const violation of violations.slice(toldViolations)) print(`  ! ${violation}\n`);
    toldViolations = violations.length;
    const now = performance.now();
    if (now - saidAt < NOTICE_MS) return;
    saidAt = now;
    print(`  ${kills} of ${rounds} kills, ${files} files, ${violations.length} violations\n`);
  };
  const childPath = fileURLToPath(new URL('./soak/fetch-child.js', import.meta.url));
  const report = await killMatrix({ rounds, seed, sizeBytes, childPath, onRound, proofs: ['cid', 'sha256'] });
  print(killTable(report, performance.now() - startedAt));
  return report.violations.length === 0 ? 0 : 1;
}

function killTable(report: KillReport, ms: number): string {
  const perKill = report.fetchedAgainBytes / Math.max(1, report.kills);
  const rows: [string, string][] = [
    ['kills', String(report.kills)],
    ['of them by sha256 only', String(report.killsBySha256)],
    ['of them after publishing', String(report.afterPublish)],
    ['files completed', String(report.files)],
    ['sent again, mean by kill', formatBytes(Math.round(perKill))],
    ['the worst kill', formatBytes(report.worstKillBytes)],
    ['violations', String(report.violations.length)],
    ['time', formatDuration(ms)],
  ];
  return table(rows, report.violations);
}

const table = (rows: readonly (readonly [string, string])[], violations: readonly string[]): string =>
  [
    ...rows.map(([name, value]) => `  ${name.padEnd(26)}${value}\n`),
    ...violations.map((violation) => `  ! ${violation}\n`),
  ].join('');

process.exitCode = await main(process.argv.slice(2)).catch((error: Error) => {
  const isUsage = 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS');
  process.stderr.write(isUsage ? `${error.message}\n${USAGE}` : `${error.stack}\n`);
  return isUsage ? 2 : 1;
});
