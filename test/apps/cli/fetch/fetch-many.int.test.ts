import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { MIB } from '#core/units';
import { runCli, startCli, type CliEnd, type CliOptions } from '../../../helpers/cli.ts';
import { makeBlocks, makeDirectory } from '../../../helpers/dag/dag.ts';
import { makeHamt } from '../../../helpers/dag/hamt.ts';
import { sha256Of, someBytes } from '../../../helpers/origin/origin-content.ts';
import { hold } from '../../../helpers/origin/origin-fault.ts';
import { startOrigin, type Origin } from '../../../helpers/origin/origin.ts';
import { until } from '../../../helpers/until.ts';

const large = someBytes(200_000, 'large');
const config = Buffer.from('{"a":1}');
const odd = Buffer.from('odd');
const ODD = 'dir [x]/a?b #1 100% + @2 ü.txt';
const COMMIT = 'c'.repeat(40);
const FILES = { 'config.json': config, 'onnx/model.onnx': large, 'onnx/skip.bin': large, [ODD]: odd };

interface Document {
  readonly files: readonly { name: string; outcome: string | null; verified: boolean; error: string | null }[];
  readonly doneFiles: number;
  readonly keptFiles: number;
  readonly failedFiles: number;
  readonly verified: boolean;
  readonly error: string | null;
}

describe('haulier fetch of several files', () => {
  let home: string;
  let origin: Origin;

  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'haulier-many-'));
    origin = await startOrigin({ files: FILES, repos: { 'org/m': { commit: COMMIT, files: FILES } } });
  });

  afterEach(async () => {
    await origin.close();
    await rm(home, { recursive: true, force: true });
  });

  const options = (more: CliOptions = {}): CliOptions => ({
    cwd: home,
    ...more,
    env: { HF_ENDPOINT: origin.url, ...more.env },
  });
  const fetch = (args: readonly string[], more: CliOptions = {}): Promise<CliEnd> =>
    runCli(['fetch', ...args], options(more));
  const documentOf = ({ stdout }: CliEnd): Document => JSON.parse(stdout) as Document;
  const bytesAsked = (): string[] =>
    origin.requests.filter(({ method, path }) => method === 'GET' && !path.startsWith('/api/')).map(({ path }) => path);
  const filesIn = async (folder: string): Promise<string[]> =>
    (await readdir(join(home, folder), { recursive: true, withFileTypes: true }))
      .filter((entry) => entry.isFile())
      .map((entry) => entry.name)
      .sort();

  describe('of a repository', () => {
    it('proves every file by the digests of the hub, and prints them as sha256sum does', async () => {
      const { code, stdout, stderr } = await fetch(['hf:org/m@main', '-o', 'dir/', '--strict']);
      expect(code).toBe(0);
      const digests = Object.entries(FILES).map(([path, bytes]) => `${sha256Of(bytes)}  ${join(home, 'dir', path)}\n`);
      expect(stdout).toBe(digests.join(''));
      expect(stderr).toContain('onnx/model.onnx  200 kB  verified');
      expect(stderr).toMatch(/total 100% .*4 of 4 files\n/);
      expect(stderr).toContain('4 files, 400 kB');
      expect(await readFile(join(home, 'dir', ODD))).toEqual(odd);
      expect(await filesIn('dir')).toEqual(['a?b #1 100% + @2 ü.txt', 'config.json', 'model.onnx', 'skip.bin']);
      expect(bytesAsked().every((path) => path.includes(COMMIT))).toBe(true);
    });

    it('fetches only missing and changed files', async () => {
      await fetch(['hf:org/m', '-o', 'dir']);
      origin.requests.splice(0);
      const again = await fetch(['hf:org/m', '-o', 'dir', '--json']);
      expect([again.code, bytesAsked()]).toEqual([0, []]);
      expect(documentOf(again)).toMatchObject({
        doneFiles: 4,
        keptFiles: 4,
        failedFiles: 0,
        verified: true,
        error: null,
      });
      await writeFile(join(home, 'dir/config.json'), '{"a":2}');
      await rm(join(home, 'dir/onnx/model.onnx'));
      const repaired = documentOf(await fetch(['hf:org/m', '-o', 'dir', '--json']));
      expect(repaired).toMatchObject({ doneFiles: 4, keptFiles: 2, verified: true });
      expect(await readFile(join(home, 'dir/config.json'))).toEqual(config);
    });

    it('--include and --exclude choose, a path with a slash at its end is a folder, and the folder has the name of the repository', async () => {
      expect((await fetch(['hf:org/m/onnx/', '--exclude', 'skip*'])).code).toBe(0);
      expect(await filesIn('onnx')).toEqual(['model.onnx']);
      expect((await fetch(['hf:org/m', '--include', '*.json'])).code).toBe(0);
      expect(await filesIn('m')).toEqual(['config.json']);
      const none = await fetch(['hf:org/m', '--include', '*.gguf', '--json']);
      expect([none.code, documentOf(none)]).toEqual([
        2,
        expect.objectContaining({ files: [], error: expect.stringContaining('leave none of them') }),
      ]);
    });

    it('continues with the other files when one fails, names it, and ends with 1', async () => {
      origin.rules.push({ path: `/org/m/resolve/${COMMIT}/config.json`, fault: { do: 'flip', atByte: 1 } });
      const { code, stdout, stderr } = await fetch(['hf:org/m', '-o', 'dir', '--json']);
      expect([code, stderr]).toEqual([1, expect.stringContaining('1 of 4 files failed:\n  config.json: ')]);
      const document = documentOf({ code, stdout, stderr });
      expect(document).toMatchObject({ doneFiles: 3, failedFiles: 1, verified: false });
      expect(document.files.filter(({ error }) => error !== null).map(({ name }) => name)).toEqual(['config.json']);
      expect(await filesIn('dir')).not.toContain('config.json');
    });

    it('F35 takes file names and digests of a mirror without a tree from the revision and the headers', async () => {
      origin.rules.push({ path: `/api/models/org/m/tree/${COMMIT}`, fault: { do: 'status', status: 404 } });
      const { code, stdout } = await fetch(['hf:org/m', '-o', 'dir', '--strict', '--json']);
      expect([code, documentOf({ code, stdout, stderr: '' })]).toEqual([
        0,
        expect.objectContaining({ doneFiles: 4, verified: true }),
      ]);
    });

    it('K01 refuses a path that would leave the folder, before any byte', async () => {
      origin.serve({ repos: { 'org/m': { commit: COMMIT, files: { ok: config, '../../evil': config } } } });
      const { code, stderr } = await fetch(['hf:org/m', '-o', 'dir']);
      expect([code, bytesAsked()]).toEqual([1, []]);
      expect(stderr).toContain('lists "../../evil", a path that has the segment ".."');
    });

    it('F32 sends no request for a name that leads to another address of the hub', async () => {
      for (const what of [
        'hf:../..@main',
        'hf:org/..',
        'hf:org/m@..',
        'hf:org/m@%2e%2e',
        'hf:org/m/../../api/x',
        'hf:org/m@a\\b',
      ])
        expect(await fetch([what])).toMatchObject({
          code: 2,
          stderr: expect.stringContaining('names no file of a hub'),
        });
      expect(origin.requests).toEqual([]);
    });
  });

  describe('of an IPFS folder', () => {
    it.each(['basic', 'sharded'])(
      'fetches a %s one, each file proven by its CID, and nothing of it twice',
      async (kind) => {
        const entries = [
          { name: 'a b.json', dag: makeBlocks(config) },
          { name: 'model.bin', dag: makeBlocks(large) },
          { name: 'sub', dag: makeDirectory([{ name: 'odd.txt', dag: makeBlocks(odd) }]) },
        ];
        const folder = kind === 'basic' ? makeDirectory(entries) : makeHamt(entries);
        const ipfs = { [makeBlocks(config).cid]: config, [makeBlocks(large).cid]: large, [makeBlocks(odd).cid]: odd };
        origin.serve({ ipfs, blocks: folder.blocks });
        const args = [folder.cid, '--gateway', origin.url, '-o', 'dir/', '--json'];
        expect(documentOf(await fetch(args))).toMatchObject({ doneFiles: 3, keptFiles: 0, verified: true });
        expect(await readFile(join(home, 'dir/sub/odd.txt'))).toEqual(odd);
        expect(await filesIn('dir')).toEqual(['a b.json', 'model.bin', 'odd.txt']);
        expect(documentOf(await fetch(args))).toMatchObject({ doneFiles: 3, keptFiles: 3, verified: true });
      },
    );
  });

  describe('of an input file', () => {
    const aria = (): string =>
      [
        '# a comment',
        `${origin.url}/files/gone\t${origin.url}/files/onnx/model.onnx`,
        '  out=m.onnx',
        '  dir=sub/./folder/',
        `  checksum=sha-256=${sha256Of(large)}`,
        '  split=4',
        `${origin.url}/files/config.json\r`,
      ].join('\n');

    it("reads aria2's format, with mirrors, names and digests", async () => {
      await writeFile(join(home, 'list'), aria());
      const { code, stderr } = await fetch(['-i', 'list', '-o', 'dir']);
      expect(code).toBe(0);
      expect(stderr).toContain('list: these options have no effect here: split');
      expect(stderr).toContain('UNVERIFIED: nothing proved');
      expect(await readFile(join(home, 'dir/sub/folder/m.onnx'))).toEqual(large);
      expect(await readFile(join(home, 'dir/config.json'))).toEqual(config);
    });

    it('reads lines of sha256sum with --base-url, also from standard input', async () => {
      const names = ['config.json', 'onnx/model.onnx', ODD] as const;
      const list = names.map((name) => `${sha256Of(FILES[name]!)}  ./${name}`).join('\n');
      const args = ['--input-file', '-', '--base-url', `${origin.url}/files`, '--strict', '--json'];
      expect(documentOf(await fetch(args, { stdin: list }))).toMatchObject({ doneFiles: 3, verified: true });
      expect(await readFile(join(home, ODD))).toEqual(odd);
    });

    it('continues with the missing files after an interruption', async () => {
      const big = someBytes(8 * MIB, 'big');
      const { fault } = hold(6 * MIB);
      const slow = await startOrigin({ files: { a: config, b: big } }, [], { rules: [{ path: '/files/b', fault }] });
      try {
        await writeFile(join(home, 'list'), `${sha256Of(config)}  a\n${sha256Of(big)}  b\n`);
        const args = ['fetch', '-i', 'list', '--base-url', `${slow.url}/files`, '-o', 'dir', '--json'];
        const { child, ended, told } = startCli([...args, '--progress', 'json'], options());
        const isUnderWay = (): boolean =>
          [...told().matchAll(/"doneBytes":(\d+)/g)].some(([, bytes]) => Number(bytes) > 2 * MIB);
        await until(isUnderWay, { what: 'part of the second file is there' });
        child.kill('SIGTERM');
        const first = await ended;
        slow.rules.pop();
        expect(first).toMatchObject({
          code: 143,
          stderr: expect.stringContaining('the same command continues from here'),
        });
        expect(documentOf(first)).toMatchObject({ doneFiles: 1, failedFiles: 1 });
        const second = documentOf(await runCli(args, options()));
        expect(second).toMatchObject({ doneFiles: 2, keptFiles: 1, verified: true });
        expect(second.files[1]).toMatchObject({ name: 'b', resumedBytes: expect.any(Number) });
        expect((second.files[1] as unknown as { resumedBytes: number }).resumedBytes).toBeGreaterThan(MIB);
        expect((await readdir(join(home, 'dir'))).sort()).toEqual(['a', 'b']);
      } finally {
        await slow.close();
      }
    });

    it('K24 refuses options of one file, and of none', async () => {
      for (const [args, sentence] of [
        [['hf:org/m', '--sha256', sha256Of(config)], '--sha256 is for one file'],
        [['hf:org/m', '--parallel', '65'], '--parallel is "65"'],
        [['hf:org/m', '--base-url', 'http://x'], '--base-url is for the paths of an input file'],
        [[`${origin.url}/files/config.json`, '--parallel', '2'], '--parallel is for several files'],
        [[], 'give one: what to fetch, or --input-file LIST'],
        [['-i', 'none'], '--input-file is "none", which cannot be read'],
      ] as const)
        expect(await fetch(args)).toMatchObject({ code: 2, stderr: expect.stringContaining(sentence) });
    });
  });
});
