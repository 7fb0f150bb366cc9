import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { leafGrid, pieceGrid, type Grid } from '#transfer/plan/grid';
import { bitOf, decodeJournal } from '#transfer/disk/journal';
import { journalPathOf } from '#transfer/disk/partial';
import { soakFile, startSoakGateway, type SoakFile, type SoakGateway } from './gateway.ts';
import { seededRandom } from './random.ts';

/** Most bytes that one kill may cost: one checkpoint of the transfer. */
const CHECKPOINT_BYTES = 64 * 1024 * 1024;

/** After this many kills a file is fetched to its end, so that a run has many files. */
const KILLS_PER_FILE = 10;

/** What proves a file, and so what its journal lists: leaves, each proven by itself, or pieces that only the whole digest proves. */
export type Proof = 'cid' | 'sha256';

export interface KillOptions {
  /** Kills in all. */
  readonly rounds: number;
  readonly seed: number;
  readonly sizeBytes: number;
  /** What proves the files, in turn. */
  readonly proofs: readonly Proof[];
  /** The compiled fetch-child. */
  readonly childPath: string;
  readonly onRound?: ((report: KillReport) => void) | undefined;
}

export interface KillReport {
  readonly kills: number;
  /** Kills of files that only a SHA-256 proves. */
  readonly killsBySha256: number;
  /** Files that were fetched to their end. */
  readonly files: number;
  /** Kills that came after the last byte, before or after the file was published. */
  readonly afterPublish: number;
  /** Sent by the gateway beyond what the files needed, bytes on their way included. */
  readonly fetchedAgainBytes: number;
  /** The most that a single kill cost: sent until then, and not on the disk in a form that the next run takes over. */
  readonly worstKillBytes: number;
  readonly violations: readonly string[];
}

interface Tally {
  kills: number;
  killsBySha256: number;
  files: number;
  afterPublish: number;
  fetchedAgainBytes: number;
  worstKillBytes: number;
  readonly violations: string[];
}

/** One file on its way. */
interface Task {
  readonly file: SoakFile;
  readonly gateway: SoakGateway;
  readonly childPath: string;
  readonly proof: Proof;
  readonly target: string;
}

/** What lies on the disk after a child. */
interface Left {
  /** What the next run takes over; all of it when the file is published. */
  readonly keptBytes: number;
  readonly isPublished: boolean;
  readonly violations: readonly string[];
}

/**
 * Fetches a file again and again with a child that is killed (SIGKILL) at random moments between its start and its end, and
 * checks the disk after each kill: a published file is the file, a leaf or piece that the journal calls done is that
 * of the file, and no kill costs more than one checkpoint.
 */
export async function killMatrix(options: KillOptions): Promise<KillReport> {
  const file = soakFile(options.sizeBytes, options.seed);
  const gateway = await startSoakGateway(file);
  const random = seededRandom(options.seed);
  const tally: Tally = {
    kills: 0,
    killsBySha256: 0,
    files: 0,
    afterPublish: 0,
    fetchedAgainBytes: 0,
    worstKillBytes: 0,
    violations: [],
  };
  const { childPath, proofs } = options;
  const taskOf = (proof: Proof): Omit<Task, 'target'> => ({ file, gateway, childPath, proof });
  try {
    const pace = { undisturbedMs: await measure(taskOf(proofs[0]!)) };
    const nextDelayMs = (): number => pace.undisturbedMs * momentOf(random(), random());
    while (tally.kills < options.rounds)
      await inFolder((target) =>
        oneFile({ ...taskOf(proofs[tally.files % proofs.length]!), target }, options, tally, pace, nextDelayMs),
      );
    return tally;
  } finally {
    await gateway.close();
  }
}

/** When to kill, as a share of an undisturbed run: anywhere, and more often near its end, where the file is published. */
const momentOf = (where: number, how: number): number => (where < 0.3 ? 0.85 + 0.25 * how : 1.1 * how);

/** How long an undisturbed child takes: kills are spread over that time. */
const measure = (task: Omit<Task, 'target'>): Promise<number> =>
  inFolder(async (target) => {
    const startedAt = performance.now();
    await runChild({ ...task, target }, undefined);
    return performance.now() - startedAt;
  });

/** One file from its first byte to its last, with as many kills as it takes. */
async function oneFile(
  task: Task,
  options: KillOptions,
  tally: Tally,
  pace: { undisturbedMs: number },
  nextDelayMs: () => number,
): Promise<void> {
  const { file, gateway, proof } = task;
  const sentBefore = gateway.sentBytes();
  let keptBytes = 0;
  const killsBefore = tally.kills;
  let isPublished = false;
  for (let isDone = false; !isDone;) {
    const sentBeforeRun = gateway.sentBytes();
    const startedAt = performance.now();
    // A published file is only checked once more, so every file comes to its end.
    const mayKill = tally.kills < Math.min(options.rounds, killsBefore + KILLS_PER_FILE) && !isPublished;
    isDone = !(await runChild(task, mayKill ? nextDelayMs() : undefined));
    // The time of an undisturbed run changes with the load; a kill after the end does not count.
    if (isDone && keptBytes === 0) pace.undisturbedMs = performance.now() - startedAt;
    const left = await lookAt(task, isDone);
    const lostBytes = keptBytes + gateway.sentBytes() - sentBeforeRun - left.keptBytes;
    keptBytes = left.keptBytes;
    tally.violations.push(...left.violations);
    if (lostBytes > CHECKPOINT_BYTES)
      tally.violations.push(`a ${isDone ? 'run' : 'kill'} lost ${lostBytes} bytes, by ${proof}`);
    if (isDone) break;
    tally.kills += 1;
    tally.worstKillBytes = Math.max(tally.worstKillBytes, lostBytes);
    if (proof === 'sha256') tally.killsBySha256 += 1;
    ({ isPublished } = left);
    if (isPublished) tally.afterPublish += 1;
    options.onRound?.(tally);
  }
  tally.files += 1;
  tally.fetchedAgainBytes += Math.max(0, gateway.sentBytes() - sentBefore - file.bytes.length);
}

/** @returns true when it was killed, false when it came to its end before */
async function runChild(task: Task, killAfterMs: number | undefined): Promise<boolean> {
  const { file, gateway, proof, target } = task;
  const what = proof === 'cid' ? [file.dag.cid, gateway.url] : [`${gateway.url}/model.bin`, '', file.sha256];
  const words = ['--enable-source-maps', task.childPath, target, ...what];
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

async function lookAt(task: Task, isDone: boolean): Promise<Left> {
  const { file, target } = task;
  const published = await readIfThere(target);
  const violations: string[] = [];
  if (published === undefined && isDone) violations.push('the child ended well and published nothing');
  if (published !== undefined && sha256Of(published) !== file.sha256) violations.push('a wrong file was published');
  const partial = await lookAtPartials(task);
  violations.push(...partial.violations);
  const isPublished = published !== undefined;
  return { keptBytes: isPublished ? file.bytes.length : partial.keptBytes, isPublished, violations };
}

/** A killed child leaves its partial beside the target, and the next child continues it. */
async function lookAtPartials(task: Task): Promise<Omit<Left, 'isPublished'>> {
  const folder = dirname(task.target);
  const names = (await readdir(folder)).filter((name) => name.endsWith('part'));
  const looks = await Promise.all(names.map((name) => lookAtPartial(task, join(folder, name))));
  return {
    keptBytes: Math.max(0, ...looks.map(({ keptBytes }) => keptBytes)),
    violations: looks.flatMap(({ violations }) => violations),
  };
}

async function lookAtPartial({ file, proof }: Task, partialPath: string): Promise<Omit<Left, 'isPublished'>> {
  const journal = decodeJournal(await readIfThere(journalPathOf(partialPath)));
  const partial = await readFile(partialPath);
  const grid = proof === 'cid' ? leafGrid(file.dag.table) : pieceGrid(file.bytes.length);
  const violations: string[] = [];
  let keptBytes = 0;
  for (let unit = 0; unit < grid.count && grid.end(unit) <= partial.length; unit += 1) {
    const isClaimed = journal.ok && bitOf(journal.journal.bitmap, unit);
    const isRight = isAt(partial, file.bytes, grid, unit);
    if (isClaimed && !isRight) violations.push(`the journal calls unit ${unit} done, and it is not, by ${proof}`);
    // A leaf is checked by its digest, whatever the journal claims.
    if (proof === 'cid' ? isRight : isClaimed) keptBytes += grid.end(unit) - grid.start(unit);
  }
  return { keptBytes, violations };
}

const isAt = (partial: Buffer, bytes: Buffer, grid: Grid, unit: number): boolean =>
  partial.subarray(grid.start(unit), grid.end(unit)).equals(bytes.subarray(grid.start(unit), grid.end(unit)));

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
