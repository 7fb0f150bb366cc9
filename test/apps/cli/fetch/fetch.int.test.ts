import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { MIB } from '#core/units';
import { runCli, startCli, type CliEnd, type CliOptions } from '../../../helpers/cli.ts';
import { makeBlocks } from '../../../helpers/dag/dag.ts';
import { sha256Of, someBytes } from '../../../helpers/origin/origin-content.ts';
import { startOrigin, type Origin } from '../../../helpers/origin/origin.ts';
import { sha256OfFile } from '../../../helpers/sample-file.ts';
import { hold } from '../../../helpers/origin/origin-fault.ts';
import { until } from '../../../helpers/until.ts';

const bytes = someBytes(8 * MIB, 'cli');
const sha256 = sha256Of(bytes);
const dag = makeBlocks(bytes);
const LIST_MODULES = fileURLToPath(new URL('list-modules.mjs', import.meta.url));
const MAIN = fileURLToPath(new URL('../../../../dist/bundles/cli/main.js', import.meta.url));

const namesIn = ({ stdout }: CliEnd): string[] => Object.keys(JSON.parse(stdout) as object).sort();

describe('haulier fetch', () => {
  let home: string;
  let origin: Origin;

  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'haulier-cli-'));
    origin = await startOrigin({
      ...{ files: { 'model.bin': bytes }, ipfs: { [dag.cid]: bytes }, blocks: dag.blocks },
      repos: { 'org/m': { commit: 'c'.repeat(40), files: { 'onnx/model.bin': bytes } } },
    });
  });

  afterEach(async () => {
    await origin.close();
    await rm(home, { recursive: true, force: true });
  });

  const url = (): string => `${origin.url}/files/model.bin`;
  const fetch = (args: readonly string[], options: CliOptions = {}): Promise<CliEnd> =>
    runCli(['fetch', ...args], { cwd: home, ...options });

  it('ends with 0 and prints digest and path, under the name of the file', async () => {
    const { code, stdout, stderr } = await fetch([url(), '--sha256', sha256]);
    expect([code, stdout]).toEqual([0, `${sha256}  ${join(home, 'model.bin')}\n`]);
    expect(stderr).toContain('verified');
    expect(await sha256OfFile(join(home, 'model.bin'))).toBe(sha256);
    expect(await readdir(home)).toEqual(['model.bin']);
  });

  it('fetches by CID and from a hub, with settings from the environment or from options', async () => {
    const env = { IPFS_GATEWAYS: origin.url, HF_ENDPOINT: origin.url };
    expect(await fetch([dag.cid, '-o', 'a.bin'], { env })).toMatchObject({ code: 0 });
    expect(await fetch(['hf:org/m/onnx/model.bin', '--hf-endpoint', origin.url, '-o', './'])).toMatchObject({
      code: 0,
    });
    expect((await readdir(home)).sort()).toEqual(['a.bin', 'model.bin']);
  });

  it('--json is exactly one document on stdout, for success and for failure', async () => {
    const done = await fetch([dag.cid, '--gateway', origin.url, '-o', 'm', '--json']);
    expect(JSON.parse(done.stdout)).toMatchObject({
      ...{ path: join(home, 'm'), sizeBytes: bytes.length, sha256, cid: dag.cid, outcome: 'primary_success' },
      ...{ resumedBytes: 0, wastedBytes: 0, badLeaves: 0, errors: [] },
      sources: [expect.objectContaining({ bytes: bytes.length })],
    });
    origin.serve({});
    const failed = await fetch([url(), '--sha256', sha256, '--json', '-o', 'n']);
    expect(failed.code).toBe(1);
    expect(JSON.parse(failed.stdout)).toMatchObject({ outcome: 'all_layers_exhausted', verified: false });
    const refused = await fetch([url(), '-o', '', '--json']);
    expect([refused.code, (JSON.parse(refused.stdout) as { path: unknown }).path]).toEqual([2, null]);
    expect(namesIn(failed)).toEqual(namesIn(done));
    expect(namesIn(refused)).toEqual(namesIn(done));
  });

  it('--json lists a repeated failure of a source once, with its count', async () => {
    origin.rules.push({ fault: { do: 'cut', afterBytes: 0 } });
    const { code, stdout } = await fetch([url(), '--sha256', sha256, '--json']);
    const { errors, sources, error } = JSON.parse(stdout) as {
      errors: string[];
      sources: { errors: number }[];
      error: string;
    };
    expect([code, errors.length, sources[0]?.errors]).toEqual([1, 1, 3]);
    expect(errors[0]).toMatch(/: .+ \(3 times\)$/);
    expect(error).toContain(errors[0]);
  });

  it('names a block that a lying gateway sent, also when another one gave the file', async () => {
    const liar = await startOrigin({ blocks: dag.blocks }, [], { rules: [{ fault: { do: 'other-bytes' } }] });
    try {
      const args = [dag.cid, '--gateway', liar.url, '--gateway', origin.url, '-o', 'm', '--json'];
      const { errors } = JSON.parse((await fetch(args)).stdout) as { errors: string[] };
      expect(errors.join()).toContain(`127.0.0.1:${liar.port}: `);
    } finally {
      await liar.close();
    }
  });

  it('counts the bytes of a file of one block as fetched from the source that gave it', async () => {
    const small = makeBlocks(someBytes(1000, 'small'));
    origin.serve({ blocks: small.blocks });
    const { stdout } = await fetch([small.cid, '--gateway', origin.url, '-o', 'm', '--json']);
    expect(JSON.parse(stdout)).toMatchObject({ resumedBytes: 0, sources: [{ bytes: 1000 }] });
  });

  it('CH7 ends with 1 and one sentence that names every source and why', async () => {
    origin.serve({});
    const { code, stdout, stderr } = await fetch([url(), '--mirror', `${origin.url}/files/b`, '--sha256', sha256]);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/^error: no source could give .*model\.bin.*answered 404.*answered 404.* \(1\)$/m);
    expect(await readdir(home)).toEqual([]);
  });

  it('reports bytes with another digest, and publishes nothing', async () => {
    const { code, stderr } = await fetch([url(), '--sha256', 'ab'.repeat(32)]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/error: .*sha256/i);
    expect(existsSync(join(home, 'model.bin'))).toBe(false);
  });

  it.each([
    ['no file', []],
    ['an unknown option', ['http://127.0.0.1:1/x', '--fast']],
    ['a text that names no file', ['a b']],
    ['a bad digest', ['http://127.0.0.1:1/x', '--sha256', 'abc']],
    ['a bad size', ['http://127.0.0.1:1/x', '--size', '1.5']],
    ['a bad rate', ['http://127.0.0.1:1/x', '--limit-rate', 'fast']],
    ['a bad strategy', ['http://127.0.0.1:1/x', '--strategy', 'random']],
    ['a bad mode of progress', ['http://127.0.0.1:1/x', '--progress', 'loud']],
    ['a CID without a gateway', [dag.cid]],
    ['a CID with a mirror that nothing proves', [dag.cid, '--mirror', 'http://127.0.0.1:1/x']],
    ['an empty path', ['http://127.0.0.1:1/x', '-o', '']],
    ['the standard output, which shows bytes before they are proven', ['http://127.0.0.1:1/x', '-o', '-']],
  ])('K24 ends with 2 and an error for %s', async (_what, args) => {
    const { code, stdout, stderr } = await fetch(args);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(/^error: /);
    expect(stderr).not.toMatch(/^ +at /m);
  });

  it('G08 G23 refuses a bad target in one sentence', async () => {
    await writeFile(join(home, 'file'), '');
    execFileSync('mkfifo', [join(home, 'pipe')]);
    const cases = [
      ['file/x', `${join(home, 'file')} is no folder, so ${join(home, 'file/x')} cannot be in there`],
      ['pipe', `${join(home, 'pipe')} is no regular file and is not replaced`],
      ['n'.repeat(256), 'is too long a name for this file system'],
    ] as const;
    for (const [output, sentence] of cases) {
      const { code, stderr } = await fetch([url(), '-o', output]);
      expect([code, stderr.trimEnd().split('\n').length]).toEqual([1, 1]);
      expect(stderr).toContain(sentence);
    }
    expect(origin.requests).toEqual([]);
  });

  it('H05 waits for the same command and finds what that one fetched', async () => {
    const { fault, go } = hold(MIB);
    origin.rules.push({ fault });
    const args = ['fetch', url(), '--sha256', sha256, '-o', 'm', '--json'];
    const first = startCli(args, { cwd: home });
    await until(() => existsSync(join(home, '.m.haulier-part.lease')), { what: 'the first one has the partial' });
    const second = startCli([...args, '--progress', 'plain'], { cwd: home });
    const waits = /waiting for process \d+ on .+, which fetches to the same path/;
    await until(() => waits.test(second.told()), { what: 'the second one waits' });
    go();
    const [{ code }, end] = [await first.ended, await second.ended];
    expect([code, end.code]).toEqual([0, 0]);
    expect(JSON.parse(end.stdout)).toMatchObject({ outcome: 'cache_hit', sources: [] });
    expect(await readdir(home)).toEqual(['m']);
  });

  it('H01 H03 continues at once after SIGKILL, or a second Ctrl-C', async () => {
    const args = ['fetch', dag.cid, '--gateway', origin.url, '-o', 'm'];
    for (const signal of ['SIGKILL', 'SIGINT'] as const) {
      const { child, ended } = startCli([...args, '--limit-rate', '1M'], { cwd: home });
      const lease = join(home, '.m.haulier-part.lease');
      const isTaken = async () => (await readFile(lease, 'utf8')).includes(`"pid":${child.pid},`);
      await until(isTaken, { what: 'it has begun' });
      child.kill(signal);
      child.kill(signal);
      expect((await ended).code).toBe(signal === 'SIGKILL' ? signal : 130);
    }
    expect(await runCli([...args, '--json'], { cwd: home })).toMatchObject({ code: 0 });
    expect(await readdir(home)).toEqual(['m']);
  });

  it('shows within a few seconds what the fetch waits for', async () => {
    origin.rules.push({ fault: { do: 'hang' } });
    const args = ['fetch', dag.cid, '--gateway', origin.url, '-o', 'm', '--progress', 'plain'];
    const { child, ended, told } = startCli([...args, '--json'], { cwd: home });
    await until(() => told().includes('looking for the file'), { what: 'it says so' });
    child.kill('SIGINT');
    const { code, stdout } = await ended;
    expect([code, JSON.parse(stdout)]).toMatchObject([
      130,
      { outcome: null, sha256: null, error: 'interrupted before the first bytes; the same command starts again' },
    ]);
  });

  it('--progress plain writes lines without escapes, none writes none, json writes objects', async () => {
    const plain = await fetch([url(), '--sha256', sha256, '--progress', 'plain', '-o', 'a']);
    const lines = plain.stderr.trimEnd().split('\n').slice(0, -1);
    // On a slow machine there are lines between that say what it waits for.
    for (const line of lines) expect(line).toMatch(/^a \P{Cc}+$/u);
    expect(lines).toContainEqual(expect.stringMatching(/^a (\d+% .+ of 8\.39 MB|[^%]+ of \?)( {2}.+)?$/));
    const none = await fetch([url(), '--sha256', sha256, '--progress', 'none', '-o', 'b']);
    expect(none.stderr.trimEnd().split('\n')).toHaveLength(1);
    const json = await fetch([url(), '--sha256', sha256, '--progress', 'json', '-o', 'c']);
    for (const line of json.stderr.trimEnd().split('\n').slice(0, -1))
      expect(JSON.parse(line)).toHaveProperty('progress');
  });

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('K24 RE1 ends with its code after %s, and the same command continues', async (signal, code) => {
    origin.rules.push({ fault: hold(4 * MIB).fault });
    const args = ['fetch', dag.cid, '--gateway', origin.url, '-o', 'm'];
    const { child, ended, told } = startCli([...args, '--progress', 'json'], { cwd: home });
    const doneBytes = (): number[] => [...told().matchAll(/"doneBytes":(\d+)/g)].map((match) => Number(match[1]));
    await until(() => doneBytes().some((bytes) => bytes > MIB), { what: 'some leaves are proven' });
    child.kill(signal);
    const stopped = await ended;
    expect(stopped.code).toBe(code);
    expect(stopped.stderr).toContain('the same command continues from here');

    origin.rules.pop();
    const again = await runCli([...args, '--json'], { cwd: home });
    const report = JSON.parse(again.stdout) as { resumedBytes: number; sources: { bytes: number }[] };
    expect(report.resumedBytes).toBeGreaterThanOrEqual(Math.max(...doneBytes()));
    expect(report.sources.reduce((sum, source) => sum + source.bytes, 0)).toBe(bytes.length - report.resumedBytes);
    expect(await sha256OfFile(join(home, 'm'))).toBe(sha256);
    expect(await readdir(home)).toEqual(['m']);
  });

  it('K24 ends without an error when its output is closed', async () => {
    const script = `${process.execPath} ${MAIN} help fetch; echo first`;
    const child = spawn('/bin/sh', ['-c', `{ ${script}; } | head -1`], { stdio: ['ignore', 'pipe', 'pipe'] });
    const seen: string[] = [];
    child.stdout.on('data', (data: Buffer) => seen.push(data.toString()));
    child.stderr.on('data', (data: Buffer) => seen.push(data.toString()));
    await once(child, 'close');
    expect(seen.join('').trimEnd().split('\n')).toHaveLength(1);

    const fetching = startCli(['fetch', url(), '--sha256', sha256, '--progress', 'none'], { cwd: home });
    fetching.child.stdout!.destroy();
    const { code, stderr } = await fetching.ended.catch(() => ({ code: undefined, stderr: '' }));
    expect(stderr).not.toMatch(/^ +at /m);
    expect([0, undefined]).toContain(code);
    await until(() => existsSync(join(home, 'model.bin')), { what: 'the file is there' });
  });

  it('loads no schemas, no Redis, no Postgres', async () => {
    const list = join(home, 'modules.txt');
    const { code } = await fetch([url(), '--sha256', sha256], {
      node: ['--import', LIST_MODULES],
      env: { MODULE_LIST: list },
    });
    expect(code).toBe(0);
    const modules = (await readFile(list, 'utf8')).trim().split('\n');
    const foreign =
      /node_modules\/(zod|bullmq|ioredis|pg|@prisma|pino|fastify)\/|packages\/(contracts|queue|database)\//;
    expect(modules.filter((module) => foreign.test(module))).toEqual([]);
    expect(modules.filter((module) => module.includes('/packages/'))).toEqual([]);
    const bundled = JSON.parse(await readFile(join(dirname(MAIN), 'modules.json'), 'utf8')) as string[];
    expect(bundled.filter((module) => foreign.test(module))).toEqual([]);
    expect(bundled).toContain('dist/packages/transfer/run/transfer.js');
  });
});
