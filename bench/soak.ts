import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { formatBytes, formatDuration } from '#core/units';
import { killMatrix, type KillReport } from './soak/kill.ts';

const USAGE = 'usage: npm run soak -- kill [--rounds 100] [--seed N] [--size-mb 200]\n';
const NOTICE_MS = 10_000;

const print = (text: string): void => void process.stdout.write(text);

/** Long runs that find faults which a test of seconds would miss. Exit: 0 nothing found, 1 a guarantee was broken, 2 usage. */
async function main(words: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: words,
    allowPositionals: true,
    options: { rounds: { type: 'string' }, seed: { type: 'string' }, 'size-mb': { type: 'string' } },
  });
  const [rounds, seed, sizeMb] = [
    Number(values.rounds ?? 100),
    Number(values.seed ?? Date.now() % 1_000_000),
    Number(values['size-mb'] ?? 200),
  ];
  const areNumbers = [rounds, seed, sizeMb].every((number) => Number.isSafeInteger(number) && number >= 0);
  if (positionals[0] !== 'kill' || !areNumbers || sizeMb === 0) {
    print(USAGE);
    return 2;
  }
  return soakKill(rounds, seed, sizeMb * 1e6);
}

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
  print(table(report, performance.now() - startedAt));
  return report.violations.length === 0 ? 0 : 1;
}

function table(report: KillReport, ms: number): string {
  const perKill = report.fetchedAgainBytes / Math.max(1, report.kills);
  const rows = [
    ['kills', String(report.kills)],
    ['of them by sha256 only', String(report.killsBySha256)],
    ['of them after publishing', String(report.afterPublish)],
    ['files completed', String(report.files)],
    ['sent again, mean by kill', formatBytes(Math.round(perKill))],
    ['the worst kill', formatBytes(report.worstKillBytes)],
    ['violations', String(report.violations.length)],
    ['time', formatDuration(ms)],
  ];
  const lines = rows.map(([name, value]) => `  ${name!.padEnd(26)}${value}\n`);
  return [...lines, ...report.violations.map((violation) => `  ! ${violation}\n`)].join('');
}

process.exitCode = await main(process.argv.slice(2)).catch((error: Error) => {
  process.stderr.write(`${error.message}\n${USAGE}`);
  return 2;
});
