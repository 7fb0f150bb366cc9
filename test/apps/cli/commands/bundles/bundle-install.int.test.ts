import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { gunzipSync, gzipSync } from 'node:zlib';
import { blobPath } from '#store/layout';
import { openStore, type Store } from '#store/open-store';
import { readStore } from '#store/read-only-store';
import { runCli, type CliEnd } from '../../../../helpers/cli.ts';
import { sha256Of, someBytes } from '../../../../helpers/origin/origin-content.ts';
import { cidOf, handMadeBundle, manifest } from './bundle-kit.ts';

const encoder = someBytes(3_000_000, 'encoder');
const config = Buffer.from('{"a":1}');
const files = { 'config.json': config, 'onnx/encoder.bin': encoder };

interface Report {
  readonly models: readonly Record<string, unknown>[];
  readonly written: { readonly contents: number; readonly bytes: number };
  readonly kept: { readonly contents: number; readonly bytes: number };
  readonly problems: readonly string[];
}

describe('bundle install', () => {
  let folder: string;
  let home: string;
  let bundle: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'haulier-install-'));
    home = join(folder, 'air-gapped');
    bundle = join(folder, 'm.tar');
    await addVersion('1', files);
    expect(await hostA('bundle', 'create', 'm', '-o', bundle)).toMatchObject({ code: 0 });
  });

  afterEach(() => rm(folder, { recursive: true, force: true }));

  const hostA = (...args: string[]): Promise<CliEnd> => runCli(args, { env: { HAULIER_HOME: join(folder, 'host-a') } });
  const cli = (...args: string[]): Promise<CliEnd> => runCli(args, { env: { HAULIER_HOME: home } });

  async function install(
    ...paths: string[]
  ): Promise<Report & { readonly code: CliEnd['code']; readonly stderr: string }> {
    const { code, stdout, stderr } = await cli('bundle', 'install', ...paths, '--json');
    return { code, stderr, ...(JSON.parse(stdout) as Report) };
  }

  async function addVersion(version: string, content: Record<string, Uint8Array>): Promise<void> {
    const store = await openStore({ home: join(folder, 'host-a') });
    for (const [path, bytes] of Object.entries(content)) {
      const partialPath = join(store.paths.partials, `${path.replace('/', '-')}.test`);
      await writeFile(partialPath, bytes);
      const digests = { sha256: sha256Of(bytes) };
      const view = { model: 'm', version, path, type: 'stt' };
      const cid = cidOf(bytes);
      await store.publish({ partialPath, sha256: digests.sha256, sizeBytes: bytes.length, digests, cid, view });
    }
  }

  const shown = (path: string): Promise<Buffer> => readFile(join(home, 'models/m', path));
  const airGapped = (): Promise<Store> => openStore({ home });

  const handMade = (
    name: string,
    manifests: readonly object[],
    contents: readonly Buffer[],
    named?: readonly Buffer[],
  ): Promise<string> => handMadeBundle(join(folder, name), manifests, contents, named);

  it('L32 CH5 brings a model into a fresh store, proven and shown, and worker verify finds it right', async () => {
    const { code, stdout } = await cli('bundle', 'install', bundle);
    expect([code, stdout]).toEqual([0, 'installed  m@1  2 files, 3.00 MB\n2 contents, 3.00 MB copied; 0 were here\n']);
    for (const [path, bytes] of Object.entries(files)) expect((await shown(path)).equals(bytes)).toBe(true);
    expect(await cli('worker', 'verify', 'm')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('0 are wrong'),
    });
    const { records } = await readStore(home);
    expect(records.get('m')).toMatchObject({ version: '1' });
    expect(records.get('m')!.versions.get('1')).toMatchObject({ type: 'stt' });
    const store = await airGapped();
    const spec = { digests: {}, cid: cidOf(encoder), path: 'onnx/encoder.bin', sizeBytes: encoder.length };
    expect(await store.find(spec)).toMatchObject({ sha256: sha256Of(encoder) });
    expect((await store.readLeaves(cidOf(encoder))).table).toBeDefined();
    expect(await readdir(store.paths.partials)).toEqual([]);
    const again = join(folder, 'again.tar');
    expect(await cli('bundle', 'create', 'm', '-o', again)).toMatchObject({ code: 0 });
    expect((await readFile(again)).equals(await readFile(bundle))).toBe(true);
  });

  it('L32 changes nothing in a second run, and copies only damaged contents again', async () => {
    expect(await install(bundle)).toMatchObject({ code: 0, models: [{ state: 'installed', shown: true }] });
    const blob = blobPath((await airGapped()).paths, sha256Of(encoder));
    const before = await stat(blob);
    expect(await install(bundle)).toMatchObject({
      ...{ code: 0, written: { contents: 0, bytes: 0 }, kept: { contents: 2, bytes: encoder.length + config.length } },
      models: [{ state: 'kept', shown: true, shownVersion: '1' }],
    });
    expect((await stat(blob)).ino).toBe(before.ino);
    await chmod(blob, 0o644);
    await writeFile(blob, someBytes(encoder.length, 'other'));
    expect(await install(bundle)).toMatchObject({ code: 0, written: { contents: 1, bytes: encoder.length } });
    expect((await shown('onnx/encoder.bin')).equals(encoder)).toBe(true);
  });

  it.each(['.tar.gz', '.TGZ', '.tar.zst'])('L33 installs a bundle that create compressed as %s', async (suffix) => {
    const packed = join(folder, `M${suffix}`);
    expect(await hostA('bundle', 'create', 'm', '-o', packed)).toMatchObject({ code: 0 });
    const head = (await readFile(packed)).subarray(0, 4).toString('hex');
    expect(head).toMatch(suffix.endsWith('zst') ? /^28b52ffd/ : /^1f8b08/);
    expect(await cli('bundle', 'verify', packed)).toMatchObject({ code: 0 });
    expect(await install(packed)).toMatchObject({ code: 0, models: [{ state: 'installed' }] });
    expect((await shown('onnx/encoder.bin')).equals(encoder)).toBe(true);
  });

  it('L33 reads a bundle that was compressed again by gzip', async () => {
    await writeFile(bundle, gzipSync(await readFile(bundle), { level: 1 }));
    expect(await install(bundle)).toMatchObject({ code: 0, models: [{ state: 'installed' }] });
    await writeFile(bundle, gunzipSync(await readFile(bundle)));
    expect(await install(bundle)).toMatchObject({ code: 0, models: [{ state: 'kept' }] });
  });

  it.each(['x.tar.xz', 'x.zip', 'x', 'x.tar.bz2', 'x.gz'])(
    'L33 refuses to create %s, and writes nothing',
    async (name) => {
      const output = join(folder, 'out', name);
      await mkdir(join(folder, 'out'));
      expect(await hostA('bundle', 'create', 'm', '-o', output)).toMatchObject({
        ...{ code: 2, stderr: expect.stringContaining('write a name that ends in .tar') },
      });
      expect(await readdir(join(folder, 'out'))).toEqual([]);
    },
  );

  it('L32 completes a version that is spread over several bundles, together or one after the other', async () => {
    const whole = manifest('2', files);
    const first = await handMade('first.tar', [whole], [config]);
    const second = await handMade('second.tar', [whole], [encoder]);
    const early = await install(first);
    expect(early).toMatchObject({ code: 1, models: [{ state: 'incomplete', missing: ['onnx/encoder.bin'] }] });
    expect(early.stderr).toContain('m@2 is incomplete: the bundles do not have onnx/encoder.bin');
    expect((await readStore(home)).records.size).toBe(0);
    expect(await install(second)).toMatchObject({ code: 0, models: [{ state: 'installed' }], kept: { contents: 1 } });
    await rm(home, { recursive: true });
    expect(await install(first, second)).toMatchObject({ code: 0, models: [{ state: 'installed', files: 2 }] });
  });

  it('L32 publishes nothing of a version with a wrong content, and takes the other models', async () => {
    const other = { ...manifest('1', { 'a.json': config }), name: 'other' };
    const bad = await handMade(
      ...([
        'bad.tar',
        [manifest('2', files), other],
        [config, someBytes(encoder.length, 'wrong')],
        [config, encoder],
      ] as const),
    );
    const report = await install(bad);
    expect(report).toMatchObject({
      code: 1,
      models: [
        { name: 'm', state: 'incomplete', missing: ['onnx/encoder.bin'] },
        { name: 'other', state: 'installed' },
      ],
      problems: [expect.stringContaining('m@2/onnx/encoder.bin')],
    });
    expect(await readdir(join(home, 'models'))).not.toContain('m');
    const verified = await cli('bundle', 'verify', bad, '--json');
    expect(verified.code).toBe(1);
    expect((JSON.parse(verified.stdout) as { problems: string[] }).problems).toEqual([
      expect.stringContaining(`blobs/sha256/${sha256Of(encoder)} has SHA-256`),
      'm@2 lacks onnx/encoder.bin',
    ]);
  });

  it.each<[string, object, string]>([
    ['a path upwards', manifest('2', { '../x': config }), '".."'],
    ['a file where another needs a folder', manifest('2', { a: config, 'a/b': encoder }), 'need a file and a folder'],
    ['two spellings of a path', manifest('2', { a: config, A: encoder }), 'collides'],
    ['a name that no folder may have', { ...manifest('2', files), name: 'aux' }, 'that Windows reserves'],
    [
      'a file that no digest proves',
      { name: 'm', version: '2', files: [{ path: 'a', cid: cidOf(config) }] },
      'no sha256',
    ],
    ['no files', { name: 'm', version: '2', files: [] }, 'at least one file'],
  ])('L34 K01 verify and install refuse a manifest with %s', async (_what, value, reason) => {
    const path = await handMade('odd.tar', [value], [config, encoder]);
    const verified = await cli('bundle', 'verify', path);
    expect(verified).toMatchObject({ code: 1, stderr: expect.stringContaining(reason) });
    const installed = await install(path);
    expect(installed).toMatchObject({ code: 1, models: [], written: { contents: 0 } });
    expect(installed.stderr).toContain(reason);
  });

  it('L34 refuses other content under a version that the host has, and right bytes of the wrong format', async () => {
    await install(bundle);
    const other = await handMade('other.tar', [manifest('1', { 'config.json': encoder })], [encoder]);
    expect(await install(other)).toMatchObject({
      ...{ code: 1, models: [{ state: 'refused', reason: expect.stringContaining('with other content') }] },
    });
    const html = Buffer.from('<!doctype html>');
    const page = await handMade('page.tar', [manifest('3', { 'm.onnx': html })], [html]);
    expect(await install(page)).toMatchObject({
      ...{ code: 1, models: [{ state: 'refused', reason: expect.stringContaining('is not onnx') }] },
    });
    expect((await shown('config.json')).equals(config)).toBe(true);
  });

  it('L34 leaves out a CID to which the bytes do not lead', async () => {
    const path = await handMade('cid.tar', [manifest('2', { 'a.bin': encoder }, { cid: cidOf(config) })], [encoder]);
    expect(await install(path)).toMatchObject({ code: 0, models: [{ state: 'installed', unprovenCids: ['a.bin'] }] });
    expect(await (await airGapped()).find({ digests: {}, cid: cidOf(config) })).toBeUndefined();
  });

  it('VE6 shows the newest version of a bundle, and none in place of a pinned one', async () => {
    await install(bundle);
    await addVersion('2', { 'config.json': someBytes(9, 'new') });
    const both = join(folder, 'both.tar');
    await hostA('bundle', 'create', 'm@1', 'm@2', '-o', both);
    await (await airGapped()).pin('m', true);
    expect(await install(both)).toMatchObject({ code: 0, models: [{ shown: true }, { version: '2', shown: false }] });
    await (await airGapped()).pin('m', false);
    const newer = join(folder, 'newer.tar');
    await hostA('bundle', 'create', 'm@2', '-o', newer);
    expect(await install(newer)).toMatchObject({
      code: 0,
      models: [{ version: '2', state: 'installed', shown: true }],
    });
    expect(await readdir(join(home, 'models/m'))).toEqual(['config.json']);
  });

  it('refuses a path that is no bundle, no file, or missing', async () => {
    await writeFile(join(folder, 'x.tar'), 'hello');
    expect(await install(join(folder, 'x.tar'), bundle)).toMatchObject({
      ...{ code: 1, problems: [expect.stringContaining('x.tar')], models: [{ state: 'installed' }] },
    });
    expect(await cli('bundle', 'install', folder)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('no file'),
    });
    expect(await cli('bundle', 'install', join(folder, 'none.tar'))).toMatchObject({ code: 2 });
  });
});
