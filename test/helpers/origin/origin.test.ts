import { afterEach, describe, expect, it } from '@jest/globals';
import type { Origin } from './origin.ts';
import { until } from '../until.ts';
import { startOrigin } from './origin.ts';
import { hold } from './origin-fault.ts';
import { generatedContent, gitBlobSha1, sha256Of, someBytes, wholeContent } from './origin-content.ts';

const origins: Origin[] = [];
const start = async (...args: Parameters<typeof startOrigin>): Promise<Origin> => {
  const origin = await startOrigin(...args);
  origins.push(origin);
  return origin;
};
afterEach(async () => {
  await Promise.all(origins.splice(0).map((origin) => origin.close()));
});

describe('the fake origin', () => {
  it('serves files by range and records what was asked', async () => {
    const content = generatedContent(3_000_000);
    const origin = await start({ files: { 'a/b.bin': content } });
    const response = await fetch(`${origin.url}/files/a/b.bin`, { headers: { range: 'bytes=1048570-1048599' } });
    expect(response.status).toBe(206);
    expect(Buffer.from(await response.arrayBuffer())).toEqual(wholeContent(content, 1048570, 1048600));
    expect(origin.requests[0]).toMatchObject({ method: 'GET', range: 'bytes=1048570-1048599', bytesSent: 30 });
  });

  it('suffers fault n at request n and is healthy after', async () => {
    const origin = await start(someBytes(10_000), [
      { do: 'status', status: 503, retryAfterS: 2 },
      { do: 'cut', afterBytes: 100 },
      [{ do: 'weak-etag' }, { do: 'flip', atByte: 3 }],
    ]);
    const first = await fetch(`${origin.url}/files/x`);
    expect([first.status, first.headers.get('retry-after')]).toEqual([503, '2']);
    await expect(fetch(`${origin.url}/files/x`).then((r) => r.arrayBuffer())).rejects.toThrow('terminated');
    const third = await fetch(`${origin.url}/files/x`);
    expect(third.headers.get('etag')).toMatch(/^W\//);
    expect(new Uint8Array(await third.arrayBuffer())[3]).toBe(someBytes(10_000)[3]! ^ 1);
    const fourth = await fetch(`${origin.url}/files/x`);
    expect(Buffer.from(await fourth.arrayBuffer())).toEqual(someBytes(10_000));
  });

  it('holds a body in the middle until the test says so', async () => {
    const { fault, go } = hold(4000);
    const origin = await start(someBytes(10_000), [], { rules: [{ fault }] });
    const ask = async (range: string): Promise<Buffer> =>
      Buffer.from(await (await fetch(`${origin.url}/files/x`, { headers: { range } })).arrayBuffer());
    expect(await ask('bytes=0-3999')).toHaveLength(4000);
    const parts = Promise.all([ask('bytes=1-'), ask('bytes=5000-')]);
    const sent = (): string => origin.requests.map(({ bytesSent }) => bytesSent).join();
    await until(() => sent() === '4000,3999,0', { what: 'what comes before the position is sent' });
    go();
    expect(await parts).toEqual([1, 5000].map((start) => someBytes(10_000).subarray(start)));
  });

  it('suffers a rule where the range covers its position', async () => {
    const origin = await start(someBytes(1000), [], { rules: [{ covers: 500, times: 1, fault: { do: 'html' } }] });
    const ask = async (range: string): Promise<number> =>
      (await fetch(`${origin.url}/files/x`, { headers: { range } })).status;
    expect(await ask('bytes=0-499')).toBe(206);
    expect(await ask('bytes=400-600')).toBe(200);
    expect(await ask('bytes=400-600')).toBe(206);
  });

  it('is an IPFS gateway for plain bytes and raw blocks', async () => {
    const origin = await start({ ipfs: { bafyfile: someBytes(10) }, blocks: new Map([['bafyblock', someBytes(5)]]) });
    expect((await fetch(`${origin.url}/ipfs/bafkqaaa?format=raw`)).status).toBe(200);
    expect((await fetch(`${origin.url}/ipfs/bafyblock?format=raw`)).status).toBe(200);
    expect((await fetch(`${origin.url}/ipfs/bafyother?format=raw`)).status).toBe(500);
    expect((await fetch(`${origin.url}/ipfs/bafyfile`)).headers.get('etag')).toBe('"bafyfile"');
  });

  it('is a hub with a separate content host, a paged tree and error codes', async () => {
    const big = someBytes(5000);
    const small = someBytes(20);
    const repos = { 'org/m': { commit: 'a'.repeat(40), files: { 'big.bin': big, 'small.json': small } } };
    const origin = await start({ repos }, [], { treePageSize: 1, cdn: 'http://cdn.invalid' });
    const resolved = await fetch(`${origin.url}/org/m/resolve/main/big.bin`, { redirect: 'manual' });
    expect(resolved.status).toBe(302);
    expect(resolved.headers.get('x-linked-size')).toBe('5000');
    expect(resolved.headers.get('location')).toContain('http://cdn.invalid/cdn/org/m/big.bin?X-Amz-Expires=3600');
    expect((await fetch(`${origin.url}/cdn/org/m/big.bin`)).status).toBe(200);
    const direct = await fetch(`${origin.url}/org/m/resolve/main/small.json`);
    expect(direct.headers.get('etag')).toBe(`"${gitBlobSha1(small)}"`);
    const page = await fetch(`${origin.url}/api/models/org/m/tree/main?recursive=true`);
    expect(page.headers.get('link')).toContain('cursor=1');
    expect(await page.json()).toMatchObject([{ path: 'big.bin', lfs: { oid: sha256Of(big) } }]);
    const missing = await fetch(`${origin.url}/org/none/resolve/main/x`);
    expect([missing.status, missing.headers.get('x-error-code')]).toEqual([401, 'RepoNotFound']);
  });
});
