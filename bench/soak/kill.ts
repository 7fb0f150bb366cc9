import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { partialPathOf } from '#chain/partial-path';
import { leafGrid } from '#transfer/grid';
import { bitOf, decodeJournal } from '#transfer/journal';
import { journalPathOf } from '#transfer/partial';
import { soakFile, startSoakGateway, type SoakFile, type SoakGateway } from './gateway.ts';
import { seededRandom } from './random.ts';

/** What one kill may cost: the checkpoint of the transfer. */
const CHECKPOINT_BYTES = 64 * 1024 * 1024;

export interface KillOptions {
  /** Kills in all. */
  readonly rounds: number;
  readonly seed: number;
  readonly sizeBytes: number;
  /** The compiled fetch-child. */
  readonly childPath: string;
  readonly onRound?: ((report: KillReport) => void) | undefined;
}

export interface KillReport {
  readonly kills: number;
  /** Files that were fetched to the end in spite of them. */
  readonly files: number;
  /** Kills that came after the last byte, before or after the file was published. */
  readonly afterPublish: number;
  /** Sent by the gateway beyond what the files needed, bytes on their way included. */
  readonly fetchedAgainBytes: number;
  /** The most of it for one file, by kill. */
  readonly worstPerKillBytes: number;
  readonly violations: readonly string[];
}

interface Tally {
  kills: number;
  files: number;
  afterPublish: number;
  fetchedAgainBytes: number;
  worstPerKillBytes: number;
  readonly violations: string[];
}

/**
 * Fetches a file again and again with a child that is killed (SIGKILL) at random moments between its start and its end, and
 * looks after each kill at what lies on the disk: a published file is the file, a leaf that the journal calls done is that leaf,
 * and no kill costs more than one checkpoint.
 */
export async function killMatrix(options: KillOptions): Promise<KillReport> {
  const file = soakFile(options.sizeBytes, options.seed);
  const gateway = await startSoakGateway(file);
  const random = seededRandom(options.seed);
  const tally: Tally = {
    kills: 0,
    files: 0,
    afterPublish: 0,
    fetchedAgainBytes: 0,
    worstPerKillBytes: 0,
    violations: [],
  };
  try {
    const undisturbedMs = await measure(file, gateway, options.childPath);
    while (tally.kills < options.rounds)
      await oneFile(file, gateway, options, tally, () => undisturbedMs * momentOf(random(), random()));
    return tally;
  } finally {
    await gateway.close();
  }
}

/** When to kill, as a share of an undisturbed run: anywhere, and more often near its end, where the file is published. */
const momentOf = (where: number, how: number): number => (where < 0.3 ? 0.85 + 0.25 * how : 1.1 * how);

/** How long an undisturbed child takes: kills are spread over that time. */
async function measure(file: SoakFile, gateway: SoakGateway, childPath: string): Promise<number> {
  return inFolder(async (target) => {
    const startedAt = performance.now();
    await runChild(childPath, file, gateway, target, undefined);
    return performance.now() - startedAt;
  });
}

/** One file from its first byte to its last, with as many kills as it takes. */
async function oneFile(
  file: SoakFile,
  gateway: SoakGateway,
  options: KillOptions,
  tally: Tally,
  nextDelayMs: () => number,
): Promise<void> {
  await inFolder(async (target) => {
    const sentBefore = gateway.sentBytes();
    let kills = 0;
    for (let isDone = false; !isDone;) {
      const mayKill = tally.kills < options.rounds;
      isDone = !(await runChild(options.childPath, file, gateway, target, mayKill ? nextDelayMs() : undefined));
      tally.violations.push(...(await violationsOf(file, target, isDone)));
      if (isDone) break;
      kills += 1;
      tally.kills += 1;
      if ((await readIfThere(target)) !== undefined) tally.afterPublish += 1;
      options.onRound?.(tally);
    }
    tally.files += 1;
    const again = Math.max(0, gateway.sentBytes() - sentBefore - file.bytes.length);
    tally.fetchedAgainBytes += again;
    tally.worstPerKillBytes = Math.max(tally.worstPerKillBytes, again / Math.max(1, kills));
    if (again > kills * CHECKPOINT_BYTES) tally.violations.push(`${kills} kills made it fetch ${again} bytes again`);
  });
}

/** @returns true when it was killed, false when it came to its end before */
async function runChild(
  childPath: string,
  file: SoakFile,
  gateway: SoakGateway,
  target: string,
  killAfterMs: number | undefined,
): Promise<boolean> {
  const words = ['--enable-source-maps', childPath, file.dag.cid, gateway.url, target];
  const child = spawn(process.execPath, words, { stdio: ['ignore', 'ignore', 'pipe'] });
  let complaint = '';
  child.stderr.on('data', (chunk: Buffer) => (complaint += chunk.toString()));
  const timer = killAfterMs === undefined ? undefined : setTimeout(() => child.kill('SIGKILL'), killAfterMs);
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  clearTimeout(timer);
  if (signal === 'SIGKILL') return true;
  if (code !== 0) throw new Error(`the child failed by itself: ${complaint.slice(0, 2000)}`);
  return false;
}

async function violationsOf(file: SoakFile, target: string, isDone: boolean): Promise<string[]> {
  const found: string[] = [];
  const published = await readIfThere(target);
  if (published === undefined && isDone) found.push('the child ended well and published nothing');
  if (published !== undefined && sha256Of(published) !== file.sha256) found.push('a wrong file was published');
  const partialPath = partialPathOf(target);
  const journal = decodeJournal(await readIfThere(journalPathOf(partialPath)));
  const partial = await readIfThere(partialPath);
  if (!journal.ok || partial === undefined) return found;
  const grid = leafGrid(file.dag.table);
  for (let leaf = 0; leaf < grid.count; leaf += 1) {
    if (!bitOf(journal.journal.bitmap, leaf)) continue;
    if (!grid.accepts(leaf, partial.subarray(grid.start(leaf), grid.end(leaf))))
      found.push(`the journal calls leaf ${leaf} done, and it is not`);
  }
  return found;
}

const sha256Of = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

async function readIfThere(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

async function inFolder<T>(work: (target: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'haulier-soak-'));
  try {
    return await work(join(folder, 'model.bin'));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
