import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { MIB } from '#core/units';
import { parseAddressPolicy } from '#http/address/address-policy';
import { createHttp } from '#http/pool';
import { mirror } from '#sources/mirror';
import { expectNoLeaks } from '../helpers/leaks.ts';
import { startNginx, type Nginx } from '../helpers/nginx.ts';
import { obtaining, testFile } from '../helpers/obtaining.ts';
import { LOOPBACK_TLS } from '../helpers/origin/origin-tls.ts';
import { testCacheDir } from '../helpers/services.ts';
import { collect } from '../packages/sources/collect.ts';

expectNoLeaks();
const bench = obtaining();
const file = await testFile(24 * MIB + 777, { chunkBytes: 256 * 1024 });
const folder = await mkdtemp(join(tmpdir(), 'haulier-nginx-'));
const root = join(folder, 'root');
await mkdir(join(root, 'ipfs'), { recursive: true });
await writeFile(join(root, file.name), file.bytes);
await writeFile(join(root, 'ipfs', file.cid), file.bytes);

const { nginx, whyNot } = await have();
const test = nginx === undefined ? it.skip : it;

/** nginx itself, or why this machine cannot have it. */
async function have(): Promise<{ nginx: Nginx | undefined; whyNot: string }> {
  try {
    const options = { root, workDir: join(folder, 'work'), cacheDir: testCacheDir() };
    return { nginx: await startNginx(options), whyNot: '' };
  } catch (error) {
    return { nginx: undefined, whyNot: `: skipped, no nginx here (${String(error).split('\n', 1)[0]})` };
  }
}

afterAll(async () => {
  await nginx?.stop();
  await rm(folder, { recursive: true, force: true });
});

describe(`nginx as an honest origin${whyNot}`, () => {
  const mirrorUrl = (): string => `${nginx!.url}/${file.name}`;

  test('CH3 gives a file by ranges over few connections', async () => {
    const run = await bench.obtain({ file, mirrors: [mirrorUrl()] });
    expect(run.error).toBeUndefined();
    expect(run.result).toMatchObject({ verified: 'digest', wastedBytes: 0 });
    expect(run.tries.length).toBeGreaterThan(1);
    expect(run.tries.every(({ failure, mode }) => failure === undefined && mode === 'range')).toBe(true);
  });

  test('RE1 RE2 continues where another origin broke off', async () => {
    await bench.interruptedAt(10 * MIB, { file, mirrors: [''] });
    const run = await bench.obtain({ file, mirrors: [mirrorUrl()] });
    expect(run.result).toMatchObject({ verified: 'digest', resumedBytes: 10 * MIB, wastedBytes: 0 });
  });

  test('HR6 shares one file with a gateway that sends wrong bytes, and proves every leaf', async () => {
    const liar = await bench.faulty(file, { do: 'flip', atByte: 9 * MIB });
    const run = await bench.obtain({
      file,
      gateways: [liar],
      mirrors: [mirrorUrl()],
      options: { strategy: 'parallel' },
    });
    expect(run.result).toMatchObject({ verified: 'leaves' });
    expect(run.result!.badLeaves).toBeLessThanOrEqual(1);
  });

  test('HR19 A11 answers 404 and 416 as RFC 9110 says, and we take them for what they are', async () => {
    const missing = await bench.obtain({ file, mirrors: [`${nginx!.url}/none`] });
    expect(missing.error).toMatchObject({ name: 'ExhaustedError', mayPass: false });
    const longer = { sizeBytes: file.bytes.length + MIB };
    const wrong = await bench.obtain({ file, mirrors: [mirrorUrl()], identity: longer });
    expect(wrong.tries[0]?.failure).toMatchObject({ kind: 'size-mismatch' });
    const http = createHttp({ addressPolicy: parseAddressPolicy(['127.0.0.0/8']) });
    const beyond = { start: file.bytes.length + 5, end: file.bytes.length + MIB };
    const source = mirror({ http, url: mirrorUrl() });
    const unsized = await collect(source, { range: beyond });
    expect(unsized.error).toMatchObject({ kind: 'range-refused', httpStatus: 416 });
    const sized = await collect(source, { range: beyond, ...longer });
    expect(sized.error).toMatchObject({ kind: 'size-mismatch', httpStatus: 416 });
    http.close();
  });

  test('RE1 continues over TLS under a private authority, and refuses the same server without it', async () => {
    const [certificate, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
    await Promise.all([writeFile(certificate, LOOPBACK_TLS.cert), writeFile(key, LOOPBACK_TLS.key)]);
    const tls = { certificate, key };
    const secure = await startNginx({ root, workDir: join(folder, 'tls'), cacheDir: testCacheDir(), tls });
    try {
      const mirrors = [`${secure.url}/${file.name}`];
      const stranger = await bench.obtain({ file, mirrors });
      expect(stranger.error).toMatchObject({ name: 'ExhaustedError', message: expect.stringMatching(/certificate/) });
      await bench.interruptedAt(10 * MIB, { file, mirrors: [''] });
      const run = await bench.obtain({
        file,
        mirrors,
        http: { ca: LOOPBACK_TLS.cert },
      });
      expect(run.result).toMatchObject({ verified: 'digest', resumedBytes: 10 * MIB, wastedBytes: 0 });
    } finally {
      await secure.stop();
    }
  });
});
