import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { openStore } from '#store/open-store';
import { nodeFiles, type FileCalls } from '#os/file-calls';
import { partialOf, removeTemporaryFolders, sha256Of, temporaryFolder } from './temp-store.ts';

const run = promisify(execFile);
let folder: string;
let child: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'haulier-processes-'));
  child = join(folder, 'child.mjs');
  await build({
    entryPoints: [join(import.meta.dirname, 'crash-child.ts')],
    outfile: child,
    bundle: true,
    platform: 'node',
    format: 'esm',
    conditions: ['source'],
  });
});
afterAll(() => rm(folder, { recursive: true, force: true }));
afterEach(removeTemporaryFolders);

describe('several processes on one store', () => {
  it('H05 H06 publish the same content and different models at once, and lose no record', async () => {
    const home = await temporaryFolder();
    const store = await openStore({ home });
    const bytes = randomBytes(400_000);
    const requests = await Promise.all(
      ['a', 'b', 'c', 'd'].map((model) => partialOf(store, bytes, { model, version: '1', path: 'x.bin' })),
    );
    await Promise.all(
      requests.map((request) =>
        run(process.execPath, [child, JSON.stringify({ home, request, dieAfter: 'never', linkMode: 'auto' })]),
      ),
    );
    expect([...(await store.records()).keys()]).toEqual(['a', 'b', 'c', 'd']);
    for (const model of ['a', 'b', 'c', 'd'])
      expect(sha256Of(await readFile(join(store.paths.models, model, 'x.bin')))).toBe(sha256Of(bytes));
    expect(await store.verify()).toMatchObject({ problems: [] });
    expect(await readdir(store.paths.partials)).toEqual([]);
    expect(await readdir(store.paths.locks)).toEqual([]);
  });
});

/** Writes down what reaches the disk, in its order. */
function traced(trace: string[]): FileCalls {
  const open = async (...args: Parameters<FileCalls['open']>) => {
    const handle = await nodeFiles.open(...args);
    for (const call of ['sync', 'datasync'] as const) {
      const real = handle[call].bind(handle);
      handle[call] = async () => {
        trace.push(`sync ${basename(String(args[0]))}`);
        await real();
      };
    }
    return handle;
  };
  const rename = async (...[from, to]: Parameters<FileCalls['rename']>) => {
    trace.push(`rename ${basename(String(to))}`);
    await nodeFiles.rename(from, to);
  };
  return { ...nodeFiles, open: open as FileCalls['open'], rename };
}

describe('the order of a publish', () => {
  it('G19 HD6 syncs bytes before their name, and names before what points at them', async () => {
    const trace: string[] = [];
    const store = await openStore({ home: await temporaryFolder(), fs: traced(trace) });
    trace.length = 0;
    const request = await partialOf(store, randomBytes(100), { model: 'm', version: '1', path: 'x.bin' });
    const { path, sha256 } = await store.publish(request);
    const durable = trace.filter((step) => !step.includes('.json') || step.includes('manifests'));
    expect(durable.map((step) => step.replace(/\.\.manifests\.json\..*\.tmp/, 'temporary'))).toEqual([
      `sync ${basename(request.partialPath)}`,
      `rename ${sha256}`,
      `sync ${basename(dirname(path))}`,
      'sync sha256',
      'sync models',
      'rename x.bin',
      'sync m',
      'sync temporary',
      'rename .manifests.json',
      'sync models',
    ]);
  });
});
