import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { mirror } from '#sources/mirror';
import { someBytes } from '../../helpers/origin/origin-content.ts';
import { expectNoLeaks } from '../../helpers/leaks.ts';
import { collect, quickHttp } from './collect.ts';

expectNoLeaks();
const BYTES = Buffer.from(someBytes(300_000));
const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** Asks without a range a server that answers each request with this status and part. */
async function read(status: number, contentRange: string | undefined, body: Buffer) {
  const server: Server = createServer((_, response) => {
    if (contentRange !== undefined) response.setHeader('content-range', contentRange);
    response.writeHead(status, { 'content-length': body.length }).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const http = quickHttp();
  closers.push(
    () => server.close(),
    () => http.close(),
  );
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/model.bin`;
  return collect(mirror({ http, url, isProvable: true }), {});
}

describe('an answer to a request without a range', () => {
  it.each([
    ['A42 203, as of a proxy that changes contents', 203, undefined],
    ['A43 206 that brings the whole file', 206, `bytes 0-${BYTES.length - 1}/${BYTES.length}`],
  ])('%s: its bytes are taken', async (_, status, contentRange) => {
    const got = await read(status, contentRange, BYTES);
    expect(got.error).toBeUndefined();
    expect(got.bytes.equals(BYTES)).toBe(true);
  });

  it('A43 206 with the beginning of the file: it is taken as that', async () => {
    const got = await read(206, `bytes 0-999/${BYTES.length}`, BYTES.subarray(0, 1000));
    expect(got).toMatchObject({ error: undefined, head: { start: 0, end: 1000, totalBytes: BYTES.length } });
  });

  it.each([
    ['from another place', `bytes 5-999/${BYTES.length}`, 'bad-response'],
    ['without Content-Range', undefined, 'bad-response'],
    ['that does not say how much is missing', 'bytes 0-994/*', 'range-refused'],
  ])('A43 206 %s: refused before a byte', async (_, contentRange, kind) => {
    const got = await read(206, contentRange, BYTES.subarray(5, 1000));
    expect(got.error).toMatchObject({ kind });
    expect(got.bytes).toHaveLength(0);
  });
});
