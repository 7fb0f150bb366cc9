import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { MIB } from '#core/units';
import {
  ask,
  cleansUp,
  HUB_COMMIT,
  numbered,
  served,
  type Published,
  type Served,
} from '../packages/serve/serve-kit.ts';
import { sha256Of } from '../packages/store/temp-store.ts';
import { publishModel } from './clients-kit.ts';
import { install, interopFolder } from './installed.ts';

const run = promisify(execFile);
const WEIGHTS = numbered(5 * MIB + 3);
const FILES: Readonly<Record<string, Buffer>> = {
  'config.json': Buffer.from('{"model_type":"tiny"}'),
  'empty.txt': Buffer.alloc(0),
  'onnx/model.onnx': WEIGHTS,
  'a name+with signs.txt': Buffer.from('signs'),
};

cleansUp();

const whyNot = await install('serve', '@huggingface/hub');
const test = whyNot === undefined ? it : it.skip;
const skipped = whyNot === undefined ? '' : `: skipped, ${whyNot}`;

let server: Served;
let folder: string;
let model: Published;

beforeAll(async () => {
  server = await served();
  model = (await publishModel(server.store, 'tiny', FILES))['onnx/model.onnx']!;
  folder = await mkdtemp(join(tmpdir(), 'haulier-serve-'));
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function client(call: string): Promise<unknown> {
  const script = join(interopFolder('serve'), 'client.mjs');
  const { stdout } = await run(process.execPath, [script, call, server.url, 'acme/tiny', join(folder, call)]);
  // The library tells of each file before.
  return JSON.parse(stdout.trimEnd().split('\n').at(-1)!);
}

describe(`an unmodified @huggingface/hub${skipped}`, () => {
  test('EX5 F15 downloads a whole repository from a store', async () => {
    const files = Object.fromEntries(Object.entries(FILES).map(([path, bytes]) => [path, sha256Of(bytes)]));
    expect(await client('snapshot')).toEqual({ commit: HUB_COMMIT, files });
  });

  test('EX5 F15 downloads one file, whole and in part', async () => {
    expect(await client('file')).toEqual({
      sha256: sha256Of(WEIGHTS),
      size: WEIGHTS.length,
      slice: sha256Of(WEIGHTS.subarray(1000, 2000)),
    });
  });

  test('EX5 F15 asks for facts of models and files', async () => {
    const facts = { name: 'acme/tiny', size: FILES['config.json']!.length, exists: true, missing: false };
    expect(await client('facts')).toMatchObject(facts);
  });
});

describe(`an unmodified ipfs-car${skipped}`, () => {
  test('EX5 F15 unpacks the CAR of a model', async () => {
    const car = join(folder, 'model.car');
    await writeFile(car, (await ask(`${server.url}/ipfs/${model.cid}?format=car`)).body);
    const program = join(interopFolder('serve'), 'node_modules/ipfs-car/bin.js');
    await run(process.execPath, [program, 'unpack', car, '--output', join(folder, 'unpacked')]);
    expect((await readFile(join(folder, 'unpacked'))).equals(WEIGHTS)).toBe(true);
  });
});
