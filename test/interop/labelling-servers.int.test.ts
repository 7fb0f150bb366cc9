import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { MIB } from '#core/units';
import { createHttp } from '#http/pool';
import { mirror } from '#sources/mirror';
import { LOOPBACK_TLS } from '../helpers/origin/origin-tls.ts';
import { someBytes } from '../helpers/origin/origin-content.ts';
import { collect } from '../packages/sources/collect.ts';
import { install, interopFolder } from './installed.ts';

const whyNot = await install('labelling-servers', 'express');
const test = whyNot === undefined ? it : it.skip;
const BYTES = Buffer.from(someBytes(3 * MIB + 77, 'file servers'));
const NAMES = ['model.bin', 'model', 'model.unknown', 'model.tar.gz', 'model.bin.br', '模型 ü.bin'];
const SERVERS = [
  'express',
  'express with compression',
  'express that says text/html',
  'express that says application/json',
  'express that says x-gzip',
  'express that says aws-chunked',
  'express that says none',
  'express with interim responses',
  'express that redirects to raw UTF-8',
  'koa',
  'sirv',
  'http-server',
  'serve-handler',
  'node without a length',
  'hapi',
  'node with HTTP/2 and HTTP/1.1',
];

/** serve-handler ends its process at a name that it writes unencoded into Content-Disposition. */
const namesFor = (server: string): readonly string[] =>
  server === 'serve-handler' ? NAMES.filter((name) => /^[ -~]*$/.test(name)) : NAMES;

describe(`servers whose labels mislead${whyNot === undefined ? '' : `: skipped, ${whyNot}`}`, () => {
  let folder: string;
  let child: ChildProcess | undefined;
  let urls: Readonly<Record<string, string>>;
  const http = createHttp({ ca: LOOPBACK_TLS.cert });

  beforeAll(async () => {
    if (whyNot !== undefined) return;
    folder = await mkdtemp(join(tmpdir(), 'haulier-labelling-'));
    const root = join(folder, 'tls.json');
    await writeFile(root, JSON.stringify(LOOPBACK_TLS));
    for (const name of NAMES) await writeFile(join(folder, name), BYTES);
    child = spawn(process.execPath, [join(interopFolder('labelling-servers'), 'serve.mjs'), folder, root], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const [line] = (await once(createInterface(child.stdout!), 'line')) as [string];
    urls = JSON.parse(line) as typeof urls;
  });

  afterAll(async () => {
    http.close();
    if (child === undefined) return;
    child.kill('SIGKILL');
    await once(child, 'close');
    await rm(folder, { recursive: true, force: true });
  });

  const source = (server: string, name: string, isProvable = false) =>
    mirror({ http, url: `${urls[server]!}/${encodeURIComponent(name)}`, trusted: true, isProvable });

  test.each(SERVERS)(
    'HR24 HR28 A35 D16 gives each file, whole, by range and without a known size: %s',
    async (server) => {
      for (const name of namesFor(server)) {
        const unknown = await collect(source(server, name, true), {});
        expect([name, unknown.error, unknown.bytes.equals(BYTES)]).toEqual([name, undefined, true]);
        const sized = source(server, name);
        const whole = await collect(sized, { sizeBytes: BYTES.length });
        expect([name, whole.error, whole.bytes.equals(BYTES)]).toEqual([name, undefined, true]);
        const range = { start: 1_000_001, end: 2_000_002 };
        const part = await collect(sized, { range, sizeBytes: BYTES.length });
        if (part.error === undefined) expect(part.bytes.equals(BYTES.subarray(range.start, range.end))).toBe(true);
        else expect(part.error).toMatchObject({ kind: 'range-refused' });
      }
    },
  );

  test('A38 names HTTP/2 as the protocol of a server without HTTP/1.1', async () => {
    const { error } = await collect(source('node with HTTP/2 alone', 'model.bin'), {});
    expect(error).toMatchObject({ kind: 'bad-response', message: expect.stringContaining('only HTTP/2') });
  });
});
