import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MIB } from '#core/units';
import { testCacheDir } from '../helpers/services.ts';
import { cleansUp, HUB_COMMIT, numbered, served, servedMirror, type Served } from '../packages/serve/serve-kit.ts';
import { sha256Of } from '../packages/store/temp-store.ts';
import { NO_HUB, publishModel, TINY_FILES } from './clients-kit.ts';
import { pythonClients, type PythonClients } from './python-clients.ts';

cleansUp();

const FILES: Readonly<Record<string, Buffer>> = {
  ...TINY_FILES,
  'empty.txt': Buffer.alloc(0),
  'onnx/model.onnx': numbered(11 * MIB + 3),
  'a name+with signs ä.txt': Buffer.from('signs'),
};
const sums = (paths = Object.keys(FILES)) => Object.fromEntries(paths.map((path) => [path, sha256Of(FILES[path]!)]));
const SECRET = Buffer.from('{"secret":true}');
const TOKEN = 'token-of-this-server';

let server: Served;
let folder: string;

beforeAll(async () => {
  const access = { tokens: [TOKEN], networks: ['127.0.0.0/8'] };
  server = await served({ access, privateModels: ['secret*'] });
  await publishModel(server.store, 'tiny', FILES);
  await publishModel(server.store, 'secret', { 'config.json': SECRET });
  folder = await mkdtemp(join(tmpdir(), 'haulier-python-'));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

const oldest = await pythonClients('oldest', testCacheDir());
const newest = await pythonClients('newest', testCacheDir());

describe.each([
  ['huggingface_hub 0.17.3', oldest],
  ['huggingface_hub 2.4.0', newest],
])('an unmodified %s', (name, clients) => {
  const { test, env } = clientTest(clients, name);

  test('EX5 F15 downloads a whole repository from a store, and finds it unchanged the second time', async () => {
    for (const revision of ['main', 'main', HUB_COMMIT])
      expect(await clients.call(['snapshot', 'acme/tiny', revision], env())).toEqual({
        commit: HUB_COMMIT,
        files: sums(),
      });
  });

  test('EX5 F15 downloads one file by a tag', async () => {
    const got = await clients.call(['file', 'acme/tiny', '1', 'onnx/model.onnx'], env());
    expect(got).toEqual({ sha256: sums()['onnx/model.onnx'] });
  });

  test('EX5 F15 reads the description with the sizes of the files', async () => {
    const sizes = Object.fromEntries(Object.entries(FILES).map(([path, { length }]) => [path, length]));
    const info = await clients.call(['info', 'acme/tiny'], env());
    expect(info).toEqual({ sha: HUB_COMMIT, private: false, sizes });
  });

  test.each([
    [['file', 'acme/tiny', 'main', 'none.bin'], 'EntryNotFoundError'],
    [['file', 'acme/tiny', 'none'], 'RevisionNotFoundError'],
    [['file', 'acme/none'], 'RepositoryNotFoundError'],
    [['snapshot', 'acme/tiny', 'none'], 'RevisionNotFoundError'],
    [['snapshot', 'acme/none'], 'RepositoryNotFoundError'],
    [['snapshot', 'acme/secret'], 'RepositoryNotFoundError'],
  ])('EX5 F15 raises its own exception: %j is %s', async (words, error) => {
    expect(await clients.call(words, env())).toMatchObject({ error: expect.arrayContaining([error]) });
  });

  test('EX5 F15 reads a private model with a token of the server', async () => {
    const token = { HF_TOKEN: TOKEN, HUGGING_FACE_HUB_TOKEN: TOKEN };
    const got = await clients.call(['file', 'acme/secret'], { ...env(), ...token });
    expect(got).toEqual({ sha256: sha256Of(SECRET) });
  });
});

describe('what comes with the newest client', () => {
  const { test, env } = clientTest(newest, 'programs');

  test('EX5 F15 loads a configuration and a tokenizer in transformers', async () => {
    const got = await newest.call(['tokenizer', 'acme/tiny'], env());
    expect(got).toEqual({ tokens: [1, 2], model_type: 'bert' });
  });

  test('EX5 F15 downloads some files with the program hf', async () => {
    const target = join(folder, 'by-hf');
    await newest.program('hf', ['download', 'acme/tiny', '--include', 'onnx/*', '--local-dir', target], env());
    expect(sha256Of(await readFile(join(target, 'onnx/model.onnx')))).toBe(sums()['onnx/model.onnx']);
  });
});

describe('an unmodified datasets 5.2.0', () => {
  const { test, env } = clientTest(newest, 'datasets');
  const numbers = ['one', 'two', 'three'].map((text, index) => ({ number: index + 1, text }));
  let parquet: Buffer;

  beforeAll(async () => {
    if (newest.whyNot !== undefined) return;
    const path = join(folder, 'train.parquet');
    await newest.call(['write_parquet', path], env());
    parquet = await readFile(path);
    for (const name of ['rows', 'secret-rows'])
      await publishModel(server.store, name, { 'data/train.parquet': parquet }, 'dataset');
  });

  test('EX5 F15 loads a dataset, whole and as a stream, also while the hub of a mirror is away', async () => {
    const mirror = await servedMirror(NO_HUB, server.store);
    for (const { url } of [server, mirror]) {
      const home = { HF_ENDPOINT: url, HF_HOME: join(folder, `datasets-${new URL(url).port}`) };
      expect(await newest.call(['dataset', 'acme/rows'], home)).toEqual({
        whole: { train: numbers },
        stream: { train: numbers },
        files: { 'data/train.parquet': sha256Of(parquet) },
      });
    }
  });

  test('EX5 F15 raises its own exception for a private dataset and for a wrong revision', async () => {
    const wrong = [
      ['dataset', 'acme/secret-rows'],
      ['dataset', 'acme/rows', 'none'],
    ];
    const error = { error: expect.arrayContaining(['DatasetNotFoundError']) };
    expect(await newest.calls(wrong, env())).toMatchObject([
      { ...error, message: expect.stringContaining('cannot be accessed') },
      { ...error, message: expect.stringContaining("Revision 'none' doesn't exist") },
    ]);
  });
});

/** Tests that are skipped with words where the clients cannot be had; each client has a cache of its own. */
function clientTest({ whyNot }: PythonClients, name: string) {
  if (whyNot !== undefined) it.skip(`skipped, ${whyNot}`, () => undefined);
  return {
    test: whyNot === undefined ? it : it.skip,
    env: () => ({ HF_ENDPOINT: server.url, HF_HOME: join(folder, name) }),
  };
}
