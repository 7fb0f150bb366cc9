import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { setTimeout as pause } from 'node:timers/promises';
import type { CreateDownloadsInput, Download } from '#contracts/http/downloads';
import { isFinal } from '#core/download-status';
import { SECOND_MS } from '#core/units';
import type { Measured } from '../measured.ts';
import { cpuMsOf, peakBytesOf } from '../process-facts.ts';
import type { OriginFile } from './origin-order.ts';
import type { SwarmLab } from './swarm-lab.ts';

const LOOK_EVERY_MS = 200;

/** Downloads of one file to several hosts, from their order on. */
export interface Spread {
  readonly lab: SwarmLab;
  readonly file: OriginFile;
  readonly startedAt: number;
  readonly sentBefore: number;
  readonly cpuBefore: ReadonlyMap<number, number>;
  readonly ids: string[];
  readonly signal: AbortSignal;
}

/** A version of a model; left out: the file belongs to none. */
export interface OfModel {
  readonly model: string;
  readonly version: string;
}

/** Orders the file for the hosts. */
export async function beginSpread(
  lab: SwarmLab,
  file: OriginFile,
  hosts: readonly string[],
  signal: AbortSignal,
  of?: OfModel,
): Promise<Spread> {
  const sentBefore = await lab.origin.sent();
  const cpuBefore = new Map(lab.processes.map(({ pid }) => [pid, cpuMsOf(pid)]));
  if (of !== undefined)
    await lab.client.publishVersion({ name: of.model, version: of.version, files: [manifestOf(file)], sources: [] });
  const spread = { lab, file, startedAt: Date.now(), sentBefore, cpuBefore, ids: [], signal };
  await order(spread, hosts, of);
  return spread;
}

/** Orders the file for further hosts. */
export async function order({ lab, file, ids }: Spread, hosts: readonly string[], of?: OfModel): Promise<void> {
  const what: CreateDownloadsInput = of ?? { files: [manifestOf(file)] };
  const { downloads } = await lab.client.createDownloads({ ...what, hosts: [...hosts], allowUnknown: true });
  ids.push(...downloads.map(({ id }) => id));
}

const manifestOf = ({ path, sizeBytes, sha256, cid }: OriginFile) => ({ path, sizeBytes, sha256, cid, sources: [] });

/** @returns the downloads as soon as they are so */
export async function until(
  { lab, ids, signal }: Spread,
  isSo: (downloads: readonly Download[]) => boolean | Promise<boolean>,
): Promise<readonly Download[]> {
  for (;;) {
    const { downloads } = await lab.client.listDownloads({ id: ids });
    if (await isSo(downloads)) return downloads;
    await pause(LOOK_EVERY_MS, undefined, { signal });
  }
}

/** The hosts have half of the bytes that they want. */
export const isHalf = (downloads: readonly Download[]): boolean =>
  downloads.reduce((sum, { bytes, sizeBytes }) => sum + bytes / (sizeBytes ?? Infinity), 0) >= downloads.length / 2;

export interface SpreadEnd {
  /** Of the link that bounds the time. */
  readonly bytesPerSecond: number;
  /** Hosts that do not count. */
  readonly lost?: readonly string[] | undefined;
  /** What the origin has sent, where it cannot be asked any more. */
  readonly sent?: number | undefined;
}

/**
 * Waits until the downloads have ended, and reads what they brought.
 *
 * @returns facts `copies` from the origin, `timesBound`, `wasted` (share of what arrived), `unfinished` and `wrong` downloads
 */
export async function endSpread(
  spread: Spread,
  { bytesPerSecond, lost = [], sent }: SpreadEnd,
): Promise<Measured & { readonly downloads: readonly Download[] }> {
  const { lab, file, startedAt, sentBefore } = spread;
  const isCounted = ({ host }: Download): boolean => !lost.includes(host ?? '');
  const all = await until(spread, (now) => now.filter(isCounted).every(({ status }) => isFinal(status)));
  const downloads = all.filter(isCounted);
  const wallMs = Math.max(...downloads.map(({ completedAt }) => Date.parse(completedAt ?? ''))) - startedAt;
  const sources = downloads.flatMap((one) => one.sources);
  const wastedBytes = sources.reduce((sum, one) => sum + one.wastedBytes, 0);
  const arrived = sources.reduce((sum, one) => sum + one.bytes, 0) + wastedBytes;
  const facts = {
    copies: ((sent ?? (await lab.origin.sent())) - sentBefore) / file.sizeBytes,
    timesBound: wallMs / ((file.sizeBytes / bytesPerSecond) * SECOND_MS),
    wasted: arrived === 0 ? 0 : wastedBytes / arrived,
    unfinished: downloads.filter(({ status }) => status !== 'success').length,
    wrong: await countWrong(downloads, file),
  };
  const peakBytes = Math.max(...lab.processes.map(({ pid }) => peakBytesOf(pid) ?? 0));
  return { wallMs, cpuMs: cpuSince(spread), peakBytes, facts, downloads };
}

/** Of the API and of the workers; those that were killed do not count. */
function cpuSince({ lab, cpuBefore }: Spread): number {
  const alive = lab.processes.filter(({ pid }) => peakBytesOf(pid) !== undefined);
  return alive.reduce((sum, { pid }) => sum + cpuMsOf(pid) - (cpuBefore.get(pid) ?? 0), 0);
}

/** Files on the disks of the hosts that have other bytes. */
async function countWrong(downloads: readonly Download[], { sha256 }: OriginFile): Promise<number> {
  let wrong = 0;
  for (const { status, path } of downloads) {
    if (status !== 'success') continue;
    const hash = createHash('sha256');
    await pipeline(createReadStream(path!), hash);
    if (hash.digest('hex') !== sha256) wrong += 1;
  }
  return wrong;
}
