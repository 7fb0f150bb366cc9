import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { messageOf } from '#core/error-facts';
import { MIB } from '#core/units';
import { findProgram, type Program } from '#embedded/find-program';
import { startOrigin } from '../helpers/origin/origin.ts';
import { testCacheDir } from '../helpers/services.ts';
import {
  cleansUp,
  hubView,
  HUB_COMMIT,
  numbered,
  publishBytes,
  served,
  servedMirror,
} from '../packages/serve/serve-kit.ts';

cleansUp();

const run = promisify(execFile);
/** Its exit code where the digest that a server told is not that of the file. */
const ARIA2_CHECKSUM_ERROR = 32;
const WEIGHTS = numbered(9 * MIB + 11);
const HUB_FILES = { commit: HUB_COMMIT, files: { 'model.bin': WEIGHTS } };

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'haulier-downloads-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const open: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

/** What each program is told for a file of which the first bytes are there already. */
const PROGRAMS: readonly (readonly [string, string, (url: string, file: string) => string[]])[] = [
  ['curl', 'curl', (url, file) => ['-sSf', '-C', '-', '-o', file, url]],
  ['wget', 'wget', (url, file) => ['-q', '-c', '-O', file, url]],
  [
    'aria2c',
    'aria2',
    (url, file) => ['-q', '-c', '-x4', '-s4', '-k1M', '--file-allocation=none', '-d', '/', '-o', file.slice(1), url],
  ],
];

async function found(name: string, packageName: string): Promise<Program | string> {
  try {
    return await findProgram(name, { packages: [packageName], cacheDir: testCacheDir() });
  } catch (error) {
    return messageOf(error).split('\n', 1)[0]!;
  }
}

const programs = await Promise.all(
  PROGRAMS.map(async ([name, packageName, wordsFor]) => ({ name, wordsFor, program: await found(name, packageName) })),
);

/** A server that has the file, by name and by CID. */
async function warm(): Promise<string[]> {
  const { store, url } = await served();
  const { cid } = await publishBytes(store, WEIGHTS, { view: hubView('model.bin') });
  return [`${url}/acme/tiny/resolve/main/model.bin`, `${url}/ipfs/${cid}`];
}

/** A server that has to fetch it while it is asked, from a hub that takes its time. */
async function cold(): Promise<string[]> {
  const hub = await startOrigin({ repos: { 'acme/tiny': HUB_FILES } }, [], { bytesPerSecond: 8 * MIB });
  open.push(() => hub.close());
  const { url } = await servedMirror(hub.url);
  return [`${url}/acme/tiny/resolve/main/model.bin?download=true`];
}

describe.each(programs)('an unmodified $name', ({ name, program, wordsFor }) => {
  const why = typeof program === 'string' ? program : undefined;
  const test = why === undefined ? it : it.skip;
  const skipped = why === undefined ? '' : `: skipped, ${why}`;

  async function download(url: string, before: Uint8Array): Promise<Buffer> {
    const { path, env } = program as Program;
    const file = join(folder, `${name}.bin`);
    await rm(file, { force: true });
    if (before.length > 0) await writeFile(file, before);
    await run(path, wordsFor(url, file), { env: { PATH: process.env['PATH'], HOME: folder, ...env } });
    return readFile(file);
  }

  test.each([
    ['a store has', warm],
    ['is fetched for it', cold],
  ])(`EX5 F15 F17 downloads a file that %s, whole and the rest of it${skipped}`, async (_, start) => {
    for (const before of [WEIGHTS.subarray(0, 0), WEIGHTS.subarray(0, 2 * MIB + 1)])
      for (const url of await start()) expect((await download(url, before)).equals(WEIGHTS)).toBe(true);
  });
});

/** A proxy that changes one byte of each answer on its way. */
async function damaging(url: string): Promise<string> {
  const target = new URL(url);
  const proxy = createServer((request, response) => {
    const { method, headers } = request;
    const options = { host: target.hostname, port: target.port, path: request.url, method, headers, agent: false };
    httpRequest(options, (answer) => {
      response.writeHead(answer.statusCode!, answer.headers);
      let isDone = false;
      answer.on('data', (part: Buffer) => {
        if (!isDone) part[0]! ^= 1;
        isDone = true;
        response.write(part);
      });
      answer.on('end', () => response.end());
    }).end();
  }).listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  open.push(() => {
    proxy.closeAllConnections();
    proxy.close();
  });
  return `http://127.0.0.1:${(proxy.address() as AddressInfo).port}${target.pathname}`;
}

describe('an unmodified aria2c', () => {
  const { program } = programs.find(({ name }) => name === 'aria2c')!;
  const test = typeof program === 'string' ? it.skip : it;

  test('EX5 F15 finds out by the digest of the server that bytes were changed on their way', async () => {
    const { path, env } = program as Program;
    const [url] = await warm();
    const words = ['-q', '-x4', '-k1M', '-d', folder, '-o', 'changed.bin', await damaging(url!)];
    const running = run(path, words, { env: { PATH: process.env['PATH'], HOME: folder, ...env } });
    await expect(running).rejects.toMatchObject({ code: ARIA2_CHECKSUM_ERROR });
  });
});
