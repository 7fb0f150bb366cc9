import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { medianOf, type Measured } from '../measured.ts';
import { cpuMsOf, peakBytesOf } from '../process-facts.ts';
import type { Variant } from '../rounds.ts';
import type { QueueLab } from './queue-lab.ts';

export const BARE = 'GET into a file';
export const PATH = 'POST until the file is on the disk';

const HOST = 'bench-host';
const FILE_BYTES = 1_000_000;
const LONGEST_MS = 30_000;

/** One file after another: what a download costs beyond its transfer when API and worker are idle. */
export async function warmPathVariants(
  lab: QueueLab,
  files: number,
): Promise<{ variants: Variant[]; close: () => Promise<void> }> {
  const origin = await startFileOrigin();
  const home = join(lab.folder, 'worker');
  const env = {
    PATH: process.env['PATH'],
    HAULIER_HOST: HOST,
    HAULIER_HOME: home,
    HAULIER_ALLOW_ADDRESSES: origin.address,
  };
  await lab.stack.startWorker({ name: 'worker', env });
  await untilTrue(async () => (await lab.client.listHosts()).some(({ name }) => name === HOST), 'the worker reports');
  const run = (one: (index: number) => Promise<number>, pid: number) => () => series(files, one, pid);
  let round = 0;
  const variants: Variant[] = [
    {
      name: BARE,
      prepare: () => Promise.resolve(),
      run: run(() => fetchBare(origin, join(lab.folder, 'bare.bin')), process.pid),
    },
    {
      name: PATH,
      prepare: async () => void (round += 1),
      run: run((index) => orderOne(lab, origin, home, `path-${round}-${index}`), lab.stack.api.pid),
    },
  ];
  return { variants, close: origin.close };
}

/** @returns the cost of all, with the median and the 95th percentile of one */
async function series(count: number, one: (index: number) => Promise<number>, pid: number): Promise<Measured> {
  const cpuBefore = cpuMsOf(pid);
  const times: number[] = [];
  for (let index = 0; index < count; index += 1) times.push(await one(index));
  const sorted = times.toSorted((a, b) => a - b);
  const facts = { medianMs: medianOf(times), p95Ms: sorted[Math.ceil(count * 0.95) - 1]! };
  const wallMs = times.reduce((sum, ms) => sum + ms, 0);
  return { wallMs, cpuMs: cpuMsOf(pid) - cpuBefore, peakBytes: peakBytesOf(pid) ?? NaN, facts };
}

interface FileOrigin {
  /** Host and port. */
  readonly address: string;
  /** New bytes, at a URL of their own. */
  offer(name: string): { url: string; sha256: string };
  close(): Promise<void>;
}

async function startFileOrigin(): Promise<FileOrigin> {
  const files = new Map<string, Buffer>();
  const server = createServer((request, response) => {
    const bytes = files.get(request.url ?? '');
    if (bytes === undefined) response.writeHead(404).end();
    else response.writeHead(200, { 'content-length': bytes.length }).end(bytes);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    address,
    offer(name) {
      const bytes = randomBytes(FILE_BYTES);
      files.clear();
      files.set(`/${name}`, bytes);
      return { url: `http://${address}/${name}`, sha256: createHash('sha256').update(bytes).digest('hex') };
    },
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** @returns milliseconds */
async function fetchBare(origin: FileOrigin, path: string): Promise<number> {
  const { url } = origin.offer('bare');
  await rm(path, { force: true });
  const startedAt = performance.now();
  const response = await fetch(url);
  await writeFile(path, Buffer.from(await response.arrayBuffer()));
  return performance.now() - startedAt;
}

/** @returns milliseconds until an application could open the file */
async function orderOne({ client }: QueueLab, origin: FileOrigin, home: string, name: string): Promise<number> {
  const { url, sha256 } = origin.offer(name);
  const path = join(home, 'models', name, 'file.bin');
  const files = [{ path: 'file.bin', sha256, sizeBytes: FILE_BYTES, sources: [{ kind: 'mirror' as const, url }] }];
  const startedAt = performance.now();
  const ordered = client.createDownloads({ name, files, host: HOST });
  await untilTrue(() => existsSync(path), `${path} is there`, 1);
  const took = performance.now() - startedAt;
  await ordered;
  return took;
}

async function untilTrue(condition: () => boolean | Promise<boolean>, what: string, everyMs = 50): Promise<void> {
  const deadline = performance.now() + LONGEST_MS;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`not after ${LONGEST_MS} ms: ${what}`);
    await pause(everyMs);
  }
}
