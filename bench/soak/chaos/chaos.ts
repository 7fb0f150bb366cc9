import { createHash } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { CODEC, cidText } from '#content/cid/cid-bytes';
import type { ManifestInput } from '#contracts/manifest';
import { silentLogger } from '#core/logger';
import { MINUTE_MS, SECOND_MS } from '#core/units';
import { connect, type Database } from '#database/sql/connect';
import { seededRandom } from '../random.ts';
import { planBlows, strike, type Blow, type BlowCounts, type BlowKind } from './blows.ts';
import { ChaosLab, type ChaosLabOptions } from './chaos-lab.ts';
import { verdictOf, type ChaosVerdict } from './verdict.ts';

export interface ChaosOptions extends Omit<ChaosLabOptions, 'hosts' | 'apiEnv'> {
  readonly hosts: number;
  readonly filesPerHost: number;
  /** The downloads are asked for by so many requests, one after another. */
  readonly requests: number;
  readonly blows: BlowCounts;
  readonly seed: number;
  /** How long a download may be without news before its job is looked up, such as `15s`. */
  readonly silentAfter: string;
}

export interface ChaosReport extends ChaosVerdict {
  readonly blows: readonly string[];
  readonly ms: number;
}

const MODEL = 'chaos';
const SHA2_256 = 0x12;
const POLL_MS = 50;
const NOTICE_MS = 10 * SECOND_MS;
/** The run ends after this long without a further success: what is missing then is lost. */
const STUCK_MS = 3 * MINUTE_MS;

/**
 * Lets a fleet download while its processes and servers are broken at random moments, and then counts. Every download must succeed
 * and be published once.
 */
export async function chaos(options: ChaosOptions): Promise<ChaosReport> {
  const startedAt = performance.now();
  const hosts = Array.from({ length: options.hosts }, (_, index) => `host-${String(index + 1).padStart(5, '0')}`);
  const apiEnv = { HAULIER_SILENT_AFTER: options.silentAfter, HAULIER_SWEEP_EVERY: '1s', HAULIER_LOG_LEVEL: 'warn' };
  const lab = await ChaosLab.open({ ...options, hosts, apiEnv });
  const database = connect({ url: lab.databaseUrl, poolSize: 2, logger: silentLogger });
  try {
    const { filesPerHost, seed } = options;
    const wanted = options.hosts * filesPerHost;
    await lab.client(0).publishVersion(manifestOf(filesPerHost));
    const plan = planBlows(options.blows, seededRandom(seed));
    const stop = new AbortController();
    const run: Run = { lab, hosts, wanted, options, told: [], signal: stop.signal };
    const work = [askForAll(run, database), strikeAll(run, plan)];
    await Promise.all(work).catch(async (error: unknown) => {
      stop.abort(error);
      await Promise.allSettled(work);
      throw error;
    });
    await untilDone(run, database);
    const verdict = await verdictOf({ lab, database, hosts, wanted });
    return { ...verdict, blows: run.told, ms: performance.now() - startedAt };
  } finally {
    await database.close();
    await lab.close();
  }
}

interface Run {
  readonly lab: ChaosLab;
  readonly hosts: readonly string[];
  readonly wanted: number;
  readonly options: ChaosOptions;
  readonly told: string[];
  /** Aborted when a part of the run failed. */
  readonly signal: AbortSignal;
}

const manifestOf = (files: number): ManifestInput => ({
  name: MODEL,
  version: '1',
  files: Array.from({ length: files }, (_, index) => {
    const digest = createHash('sha256').update(`chaos ${index}`).digest();
    return {
      ...{ path: pathOf(index), sizeBytes: 1000, sha256: digest.toString('hex') },
      cid: cidText(CODEC.raw, SHA2_256, digest),
    };
  }),
});

const pathOf = (index: number): string => `file-${String(index + 1).padStart(6, '0')}.bin`;

/**
 * Each request follows when the one before the last has succeeded in Postgres, so that there is work from the first blow to the last, and
 * so that a loss of Redis takes few events that are not stored yet: each of them is a job that starts again.
 */
async function askForAll(run: Run, database: Database): Promise<void> {
  const { hosts, wanted } = run;
  const { filesPerHost, requests } = run.options;
  const share = Math.ceil(filesPerHost / requests);
  for (let from = 0; from < filesPerHost; from += share) {
    const files = Array.from({ length: Math.min(share, filesPerHost - from) }, (_, index) => pathOf(from + index));
    const before = Math.max(0, (from - share) / filesPerHost) * wanted;
    await untilCount(run, before, () => succeeded(database));
    await ask(run, { model: MODEL, version: '1', files, hosts: [...hosts], allowUnknown: true });
  }
}

/** A pipeline that repeats its request until it gets an answer. */
async function ask({ lab, signal }: Run, body: object): Promise<void> {
  for (let tries = 0; !(await lab.ask(tries % lab.apiCount, body)); tries += 1) await pause(500, undefined, { signal });
}

/** Blows on different things may fall at the same time; one thing is broken again only when it runs. */
async function strikeAll(run: Run, plan: readonly Blow[]): Promise<void> {
  const { lab, hosts, wanted, told, options } = run;
  const lanes = new Map<BlowKind, Promise<void>>();
  const startedAt = performance.now();
  for (const blow of plan) {
    await untilPublished(run, blow.at * wanted);
    const lane = blow.kind === 'flush' || blow.kind === 'delete' ? 'redis' : blow.kind;
    const seconds = ((performance.now() - startedAt) / SECOND_MS).toFixed(1);
    told.push(`${blow.kind} at ${(blow.at * 100).toFixed(1)} %, ${seconds} s`);
    options.say(`  ${told.at(-1)}`);
    const struck = (lanes.get(lane) ?? Promise.resolve()).then(() => strike(lab, blow, hosts));
    // Its failure is thrown at the end; this avoids an unhandled rejection.
    struck.catch(() => undefined);
    lanes.set(lane, struck);
  }
  await Promise.all(lanes.values());
}

const untilPublished = (run: Run, count: number): Promise<void> =>
  untilCount(run, count, () => run.lab.count('published'));

async function untilCount({ lab, signal }: Run, count: number, read: () => Promise<number>): Promise<void> {
  let best = 0;
  let changedAt = performance.now();
  for (;;) {
    lab.throwIfOneDied();
    const now = await read();
    if (now >= count) return;
    if (now > best) [best, changedAt] = [now, performance.now()];
    if (performance.now() - changedAt > STUCK_MS) throw new Error(`only ${now} of ${count} files got so far`);
    await pause(POLL_MS, undefined, { signal });
  }
}

/** 0 while Postgres does not answer, which is one of the blows; an error that lasts ends the run as one that is stuck. */
const succeeded = ({ pool }: Database): Promise<number> =>
  pool.query<{ count: number }>(`SELECT count(*) FROM downloads WHERE status = 'success'`).then(
    ({ rows }) => rows[0]!.count,
    () => 0,
  );

/** Until every row succeeded, or nothing succeeds any more. */
async function untilDone({ lab, wanted, options }: Run, { pool }: Database): Promise<void> {
  let best = 0;
  let changedAt = performance.now();
  let saidAt = changedAt;
  for (;;) {
    lab.throwIfOneDied();
    const { rows } = await pool.query<{ count: number }>(`SELECT count(*) FROM downloads WHERE status = 'success'`);
    const succeeded = rows[0]!.count;
    const now = performance.now();
    if (succeeded >= wanted) return;
    if (succeeded > best) [best, changedAt] = [succeeded, now];
    if (now - changedAt > STUCK_MS) return;
    if (now - saidAt > NOTICE_MS) {
      saidAt = now;
      options.say(`  ${succeeded} of ${wanted} downloads succeeded`);
    }
    await pause(POLL_MS * 5);
  }
}
