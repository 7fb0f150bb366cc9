import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { decodeManifestBlock, encodeManifestBlock } from '#content/dag/manifest-block';
import { runCli, type CliEnd } from '../../../../helpers/cli.ts';
import { startOrigin, type Origin } from '../../../../helpers/origin/origin.ts';
import { sha256Of, someBytes } from '../../../../helpers/origin/origin-content.ts';

const encoder = someBytes(50_000, 'encoder');
const config = Buffer.from('{"a":1}');

/** Takes what is published and answers like the API. */
async function startApi(published: unknown[], status = 201): Promise<Server> {
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      published.push({ method: request.method, path: request.url, manifest: JSON.parse(body) });
      response.writeHead(status, { 'content-type': 'application/problem+json' });
      const type = '/problems/version-exists';
      response.end(
        JSON.stringify({ type, code: 'version-exists', detail: 'version exists with other content', status }),
      );
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

describe('haulier model add', () => {
  let home: string;
  let origin: Origin;
  let api: Server;
  let apiUrl: string;
  let published: { method: string; path: string; manifest: { version: string; files: unknown[] } }[];

  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'haulier-add-'));
    const files = { 'config.json': config, 'onnx/encoder.onnx': encoder };
    const repo = { commit: 'c'.repeat(40), files };
    origin = await startOrigin({ repos: { 'org/m': repo, 'org/gated': { ...repo, gated: true } } });
    published = [];
    api = await startApi(published);
    apiUrl = `http://127.0.0.1:${(api.address() as AddressInfo).port}`;
  });

  afterEach(async () => {
    api.closeAllConnections();
    api.close();
    await origin.close();
    await rm(home, { recursive: true, force: true });
  });

  const add = (...args: string[]): Promise<CliEnd> =>
    runCli(['model', 'add', ...args], {
      cwd: home,
      env: { HAULIER_URL: apiUrl, HF_ENDPOINT: origin.url, HAULIER_HOME: join(home, 'store') },
    });

  it('publishes a repository and prints the CID of the manifest', async () => {
    const { code, stdout, stderr } = await add('whisper', '--hf', 'org/m@main', '--type', 'stt');
    expect([code, stderr]).toEqual([0, expect.stringContaining('2 files, 50.0 kB  published')]);
    expect(published).toMatchObject([{ method: 'POST', path: '/api/models/whisper/versions' }]);
    const { manifest } = published[0]!;
    expect(manifest).toMatchObject({ name: 'whisper', type: 'stt', version: 'c'.repeat(40) });
    expect(stdout).toBe(`${encodeManifestBlock(manifest).cid}  whisper@${manifest.version}\n`);
  });

  it('VE7 completes a recipe', async () => {
    const recipe = {
      ...{ schema: 'haulier.recipe/v1', name: 'whisper', hf: { repo: 'org/m' }, include: ['onnx/*'] },
      minBytes: { 'onnx/encoder*': 50_000 },
    };
    await writeFile(join(home, 'r.json'), JSON.stringify(recipe));
    const { code, stdout } = await add('--from', 'r.json', '--json');
    expect(code).toBe(0);
    const file = { path: 'onnx/encoder.onnx', sizeBytes: encoder.length, sha256: sha256Of(encoder) };
    expect(JSON.parse(stdout)).toMatchObject({
      name: 'whisper',
      files: [file],
      cid: expect.stringMatching(/^baguqeera/),
    });
    await writeFile(join(home, 'r.json'), JSON.stringify({ ...recipe, minBytes: { 'onnx/encoder*': 50_001 } }));
    expect(await add('--from', 'r.json')).toMatchObject({ code: 1, stdout: '' });
    expect(published).toHaveLength(1);
  });

  it('--print and -o give the dag-json block, and nothing is published', async () => {
    await mkdir(join(home, 'm'));
    await writeFile(join(home, 'm', 'config.json'), config);
    const { code, stdout, stderr } = await add('tiny', '--dir', 'm', '--version', '1', '--print', '-o', 'm.dag.json');
    expect(code).toBe(0);
    const block = await readFile(join(home, 'm.dag.json'));
    expect(stdout).toBe(`${block.toString()}\n`);
    const manifest = decodeManifestBlock(block) as object;
    expect(stderr).toContain(encodeManifestBlock(manifest).cid);
    expect(manifest).toMatchObject({ name: 'tiny', version: '1', files: [{ path: 'config.json', sizeBytes: 7 }] });
    expect(published).toEqual([]);
  });

  it('leaves out the files of --exclude, and names the sources of the other files', async () => {
    const { code, stderr } = await add('whisper', '--hf', 'org/m@main', '--exclude', '*.json');
    expect([code, published[0]!.manifest.files]).toEqual([0, [expect.objectContaining({ path: 'onnx/encoder.onnx' })]]);
    expect(stderr).toContain(`hosts get it from ${new URL(origin.url).host}, repository org/m`);
  });

  it('puts the files of a folder into the store of this host, proven, and names the sources for other hosts', async () => {
    await mkdir(join(home, 'm/.git/objects'), { recursive: true });
    await mkdir(join(home, 'm/sub'));
    await writeFile(join(home, 'm/.git/objects/pack'), 'x');
    await writeFile(join(home, 'm/sub/.git'), 'gitdir: elsewhere');
    await writeFile(join(home, 'm/config.json'), config);
    await writeFile(join(home, 'm/encoder.bin'), encoder);
    const { code, stderr } = await add('tiny', '--dir', 'm', '--version', '1');
    expect([code, stderr]).toEqual([
      0,
      expect.stringMatching(/the files are in the store of this host; .*`haulier serve` on this host/),
    ]);
    expect(stderr).toContain('haulier bundle create tiny@1 -o tiny.tar');
    expect(published[0]!.manifest.files).toMatchObject([{ path: 'config.json' }, { path: 'encoder.bin' }]);
    expect(await readFile(join(home, 'store', 'models', 'tiny', 'encoder.bin'))).toEqual(encoder);
    await rm(join(home, 'm'), { recursive: true });
    const env = { HAULIER_HOME: join(home, 'store') };
    expect(await runCli(['worker', 'verify', 'tiny'], { env })).toMatchObject({ code: 0 });
    const bundled = await runCli(['bundle', 'create', 'tiny', '-o', 'tiny.tar'], { cwd: home, env });
    expect(bundled).toMatchObject({ code: 0, stdout: expect.stringContaining('2 contents of tiny@1') });
  });

  it('K38 refuses a Git LFS pointer by its name, unless it is left out', async () => {
    await mkdir(join(home, 'm'));
    const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${'a'.repeat(64)}\nsize 5\n`;
    await writeFile(join(home, 'm/model.onnx'), pointer);
    await writeFile(join(home, 'm/config.json'), config);
    const refused = await add('tiny', '--dir', 'm');
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('"model.onnx" is a Git LFS pointer') });
    expect(published).toEqual([]);
    expect(await add('tiny', '--dir', 'm', '--exclude', 'model.onnx', '--no-store')).toMatchObject({ code: 0 });
  });

  it('F33 takes HF_TOKEN without the white space around it, and refuses one that has some inside', async () => {
    const withToken = (HF_TOKEN: string): Promise<CliEnd> =>
      runCli(['model', 'add', 'm', '--hf', 'org/m', '--print'], {
        cwd: home,
        env: { HF_ENDPOINT: origin.url, HF_TOKEN },
      });
    expect(await withToken(' hf_secret\n')).toMatchObject({ code: 0 });
    expect(origin.requests.every(({ headers }) => headers['authorization'] === 'Bearer hf_secret')).toBe(true);
    origin.requests.splice(0);
    expect(await withToken(' \n')).toMatchObject({ code: 0 });
    expect(origin.requests.every(({ headers }) => headers['authorization'] === undefined)).toBe(true);
    origin.requests.splice(0);
    const refused = await withToken('hf_one\nhf_two');
    expect([refused.code, origin.requests]).toEqual([2, []]);
    expect(refused.stderr).toContain('HF_TOKEN is not usable');
    expect(refused.stderr).not.toContain('hf_one');
  });

  it('K24 ends with 2 for input that cannot be right, without a request', async () => {
    for (const args of [[], ['Bad', '--hf', 'org/m'], ['m', '--hf', 'org'], ['m', '--repo-type', 'x'], ['m', '--nope']])
      expect(await add(...args)).toMatchObject({ code: 2, stdout: '', stderr: expect.stringMatching(/^error: /) });
    expect(origin.requests).toEqual([]);
  });

  it('reports why a hub refuses', async () => {
    expect(await add('m', '--hf', 'org/gated')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('set HF_TOKEN'),
    });
    expect(await add('m', '--hf', 'org/none')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('no such repository'),
    });
    expect(published).toEqual([]);
  });

  it('passes on a refusal of the API, and reports an API that does not answer', async () => {
    api.closeAllConnections();
    api.close();
    expect(await add('m', '--hf', 'org/m')).toMatchObject({ code: 6, stdout: '' });
    api = await startApi(published, 409);
    apiUrl = `http://127.0.0.1:${(api.address() as AddressInfo).port}`;
    const refused = await add('m', '--hf', 'org/m');
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('version exists with other content') });
  });
});
