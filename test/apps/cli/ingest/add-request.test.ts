import { readdirSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { usageOf } from '../../../../apps/cli/cli-error-of.ts';
import { addRequest, type ModelAddOptions } from '../../../../apps/cli/ingest/add-request.ts';
import { readRecipe } from '../../../../apps/cli/ingest/recipe.ts';

const EXAMPLES = join(import.meta.dirname, '../../../../examples/models');
const FOLDER_CID = 'bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi';
const MANIFEST_CID = 'baguqeerasords4njcts6vs7qvdjfcvgnume4hqohf65zsfguprqphs3icwea';
const GATEWAY = { gateway: ['http://127.0.0.1:8080'] };

const options = (more: Partial<ModelAddOptions>): ModelAddOptions => ({ progress: 'none', ...more });
const request = (name: string | undefined, more: Partial<ModelAddOptions>, env: NodeJS.ProcessEnv = {}) =>
  addRequest(name, options(more), env);

describe('what haulier model add was asked for', () => {
  it('reads a repository with and without revision', () => {
    const hub = request('m', { hf: 'org/m@refs/pr/3' }, { HF_TOKEN: 'secret', HF_ENDPOINT: 'http://hub' }).origin;
    expect(hub).toEqual({
      ...{ kind: 'hub', repo: 'org/m', repoType: 'model', revision: 'refs/pr/3' },
      ...{ endpoint: 'http://hub', token: 'secret', ipfs: undefined },
    });
    expect(request('m', { hf: 'org/m' }).origin).toMatchObject({
      ...{ revision: 'main', endpoint: 'https://huggingface.co' },
    });
  });

  it('CH2 distinguishes a folder on IPFS from a manifest on IPFS', () => {
    expect(request('m', { ipfs: FOLDER_CID, ...GATEWAY }).origin).toEqual({ kind: 'ipfs', cid: FOLDER_CID });
    expect(request('m', { ipfs: MANIFEST_CID }, { IPFS_GATEWAYS: ' http://a , ' })).toMatchObject({
      ...{ origin: { kind: 'manifest', cid: MANIFEST_CID }, gateways: ['http://a'] },
    });
  });

  it.each([
    ['no name', undefined, { hf: 'a/b' }, 'the name of the model is missing'],
    ['a bad name', 'Whisper', { hf: 'a/b' }, 'the name is "Whisper": a model name is'],
    ['a path as name', '../x', { hf: 'a/b' }, 'the name is "../x"'],
    ['a bad version', 'm', { hf: 'a/b', version: 'v 1' }, '--version is "v 1": a version is'],
    ['an empty type', 'm', { hf: 'a/b', type: '' }, '--type is ""'],
    ['no origin', 'm', {}, 'the origin of the model is missing'],
    ['two origins', 'm', { hf: 'a/b', dir: '.' }, 'give one origin'],
    ['a folder beside IPFS', 'm', { dir: '.', ipfs: FOLDER_CID }, 'give one origin'],
    ['a bad repository', 'm', { hf: 'whisper' }, '--hf is "whisper": write owner/repo@revision'],
    ['a bad CID', 'm', { ipfs: 'hello', ...GATEWAY }, '"hello" is not a CID'],
    ['IPFS without a gateway', 'm', { ipfs: FOLDER_CID }, 'no IPFS gateway to ask'],
    ['a gateway that is gone', 'm', { ipfs: FOLDER_CID, gateway: ['cloudflare-ipfs.com'] }, 'switched off'],
    [
      'a bad endpoint',
      'm',
      { hf: 'a/b', hfEndpoint: 'hub' },
      '--hf-endpoint is "hub": write an http:// or https:// URL',
    ],
    ['a file as folder', 'm', { dir: import.meta.filename }, 'which is no folder'],
    ['a bad glob', 'm', { hf: 'a/b', include: ['{'] }, 'braces that do not match'],
    [
      'a manifest with another version',
      'm',
      { ipfs: MANIFEST_CID, version: '2', ...GATEWAY },
      '--version cannot change',
    ],
    ['a manifest beside a hub', 'm', { hf: 'a/b', ipfs: MANIFEST_CID, ...GATEWAY }, 'it is complete, so give it alone'],
    ['a recipe that is not there', 'm', { from: '/nowhere.json' }, '/nowhere.json cannot be read as JSON'],
  ])('refuses %s', (_what, name, more, sentence) => {
    expect(() => request(name, more)).toThrow(RangeError);
    expect(() => request(name, more)).toThrow(sentence);
  });
});

it('refuses a CID with a hash that is not known, before any request', () => {
  const ask = () =>
    usageOf(() => request('m', { ipfs: 'bafkr4aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', ...GATEWAY }));
  expect(ask).toThrow(expect.objectContaining({ name: 'CliError', exitCode: 2 }));
});

describe('recipes', () => {
  let folder: string;
  beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 'haulier-recipe-'))));
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it.each(readdirSync(EXAMPLES))('VE7 %s is complete', (name) => {
    const from = join(EXAMPLES, name);
    const made = request(undefined, { from });
    expect(`${made.name}.json`).toBe(name);
    expect(made.origin.kind).toBe('hub');
    expect(Object.keys(made.minBytes).length).toBeGreaterThan(0);
  });

  it('VE7 knows both models that ship', () => {
    expect(readRecipe(join(EXAMPLES, 'whisper-base.json'))).toMatchObject({
      ...{ type: 'stt', hf: { repo: 'onnx-community/whisper-base' } },
      minBytes: { 'onnx/encoder_model.onnx': 40e6, 'onnx/decoder_model_merged.onnx': 100e6 },
    });
    expect(readRecipe(join(EXAMPLES, 'tts-models.json')).hf).toEqual({
      ...{ repo: 'AnEntrypoint/sttttsmodels', repoType: 'dataset', revision: 'main' },
    });
  });

  it('is overridden by options', () => {
    const from = join(EXAMPLES, 'whisper-base.json');
    const made = request('mine', { from, include: ['*.json'], type: 'x', version: '1', ipfs: FOLDER_CID, ...GATEWAY });
    expect(made).toMatchObject({
      name: 'mine',
      include: ['*.json'],
      type: 'x',
      version: '1',
      origin: { ipfs: FOLDER_CID },
    });
  });

  it('names every field that is wrong', async () => {
    const from = join(folder, 'bad.json');
    await writeFile(
      from,
      JSON.stringify({ schema: 'v0', name: 'Bad', hf: { repo: 'x' }, minBytes: { a: -1 }, more: 1 }),
    );
    for (const field of ['schema: write', 'name: a model name', 'hf.repo: a repository', 'minBytes.a:', '"more"'])
      expect(() => request(undefined, { from })).toThrow(field);
  });
});
