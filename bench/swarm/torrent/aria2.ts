import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { access, chmod, mkdir, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { z } from 'zod';
import { SECOND_MS } from '#core/units';
import type { Measured } from '../../measured.ts';
import { cpuMsOf, peakBytesOf } from '../../process-facts.ts';
import type { Network } from '../links/network.ts';
import type { OriginFile } from '../origin-order.ts';
import { torrentOf } from './torrent-file.ts';

const TRACKER_PORT = 6969;
const RPC_PORT = 6800;
const LOOK_EVERY_MS = 50;
const START_MS = 20 * SECOND_MS;

const Answer = z.object({
  result: z.array(z.object({ uploadLength: z.coerce.number(), seeder: z.string().optional() })),
});

/** @returns versions of the programs; undefined where one of them is missing */
export async function aria2Versions(): Promise<{ aria2: string; opentracker: string } | undefined> {
  try {
    const { stdout } = await promisify(execFile)('aria2c', ['--version']);
    await access('/usr/bin/opentracker');
    return { aria2: /aria2 version (\S+)/.exec(stdout)?.[1] ?? '', opentracker: 'opentracker of the distribution' };
  } catch {
    return undefined;
  }
}

export interface TorrentRun {
  readonly network: Network;
  readonly folder: string;
  readonly hosts: readonly string[];
  readonly bytesPerSecond: number;
  readonly signal: AbortSignal;
}

/** Brings a file to all hosts with aria2, from a seeder where the origin is, by a tracker where the API is. */
export async function runAria2(run: TorrentRun, file: OriginFile): Promise<Measured> {
  const folder = join(run.folder, 'torrent');
  const children: ChildProcess[] = [];
  try {
    await mkdir(folder, { recursive: true });
    return await measure({ ...run, folder }, file, children);
  } finally {
    for (const child of children) child.kill('SIGKILL');
    await Promise.all(children.map(async (child) => child.exitCode === null && !child.killed && once(child, 'exit')));
    await rm(folder, { recursive: true, force: true });
  }
}

async function measure(run: TorrentRun, file: OriginFile, children: ChildProcess[]): Promise<Measured> {
  const { network, folder, hosts, bytesPerSecond } = run;
  const torrent = await torrentOf(file.diskPath, `http://${network.gateway}:${TRACKER_PORT}/announce`);
  const torrentPath = join(folder, 'file.torrent');
  await writeFile(torrentPath, torrent.bytes);
  children.push(await startTracker(run, torrent.infoHash));
  const hook = join(folder, 'complete.sh');
  await writeFile(hook, '#!/bin/sh\n: > "$3.complete"\n');
  await chmod(hook, 0o755);
  const start = (host: string, words: readonly string[]): ChildProcess => {
    const all = [...network.launcherOf(host), 'aria2c', ...COMMON, ...words, torrentPath];
    const child = spawn(all[0]!, all.slice(1), { stdio: 'ignore' });
    children.push(child);
    return child;
  };
  const rpc = ['--enable-rpc', '--rpc-listen-all', `--rpc-listen-port=${RPC_PORT}`];
  start('origin', [...rpc, '--check-integrity=true', `--dir=${dirname(file.diskPath)}`]);
  const seeder = `http://${network.addressOf('origin')}:${RPC_PORT}/jsonrpc`;
  await eventually(run.signal, START_MS, async () => (await uploadedBy(seeder)) !== undefined);
  const startedAt = Date.now();
  for (const host of hosts) start(host, [`--on-bt-download-complete=${hook}`, `--dir=${join(folder, host)}`]);
  const marks = hosts.map((host) => join(folder, host, `${basename(file.diskPath)}.complete`));
  await eventually(run.signal, Infinity, async () => (await Promise.all(marks.map(isThere))).every(Boolean));
  const ends = await Promise.all(marks.map(async (mark) => (await stat(mark)).mtimeMs));
  const wallMs = Math.max(...ends) - startedAt;
  const pids = children.map(({ pid }) => pid!);
  return {
    wallMs,
    cpuMs: pids.reduce((sum, pid) => sum + cpuMsOf(pid), 0),
    peakBytes: Math.max(...pids.map((pid) => peakBytesOf(pid) ?? 0)),
    facts: {
      copies: ((await uploadedBy(seeder)) ?? NaN) / file.sizeBytes,
      timesBound: wallMs / ((file.sizeBytes / bytesPerSecond) * SECOND_MS),
    },
  };
}

/** Near the defaults: hosts seed on until the last one has the file, and find each other by the tracker and by peer exchange. */
const COMMON = [
  ...['--no-conf', '--quiet', '--enable-dht=false', '--enable-dht6=false', '--bt-enable-lpd=false'],
  ...['--file-allocation=none', '--seed-ratio=0.0', '--listen-port=6881', '--allow-overwrite=true'],
];

/** The one of Debian serves only the files of a list. */
async function startTracker({ folder, network }: TorrentRun, infoHash: string): Promise<ChildProcess> {
  const list = join(folder, 'files');
  await writeFile(list, `${infoHash}\n`);
  const port = String(TRACKER_PORT);
  const words = ['-i', network.gateway, '-p', port, '-P', port, '-d', folder, '-w', 'files'];
  return spawn('opentracker', words, { stdio: 'ignore' });
}

/** @returns bytes that the seeder has sent; undefined while it does not seed */
async function uploadedBy(url: string): Promise<number | undefined> {
  const question = { jsonrpc: '2.0', id: '1', method: 'aria2.tellActive', params: [['uploadLength', 'seeder']] };
  const answer = await fetch(url, { method: 'POST', body: JSON.stringify(question) }).catch(() => undefined);
  if (answer === undefined) return undefined;
  const [active] = Answer.parse(await answer.json()).result;
  return active?.seeder === 'true' ? active.uploadLength : undefined;
}

const isThere = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

async function eventually(signal: AbortSignal, timeoutMs: number, isSo: () => Promise<boolean>): Promise<void> {
  const startedAt = performance.now();
  while (!(await isSo())) {
    if (performance.now() - startedAt > timeoutMs) throw new Error(`aria2 does not seed after ${timeoutMs} ms`);
    await pause(LOOK_EVERY_MS, undefined, { signal });
  }
}
