import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { CheckVersionJob, WatchedOrigin } from '#contracts/worker/check-version-job';
import { parseAddressPolicy } from '#http/address/address-policy';
import { createHttp } from '#http/pool';
import { SourceHealth } from '#sources/guards/source-health';
import { checkVersion } from '../../../../apps/worker/host/check-version.ts';
import { startOrigin } from '../../../helpers/origin/origin.ts';

const CID = 'bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi';
const OTHER_CID = 'bafkreifzjut3te7nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e';
const commit = (letter: string): string => letter.repeat(40);

const closing: (() => Promise<unknown> | void)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const jobOf = (origin: WatchedOrigin): CheckVersionJob => ({ version: 1, model: 'sample', current: '1', origin });

async function check(
  origin: WatchedOrigin,
  url: string,
  signal = new AbortController().signal,
  health = new SourceHealth(),
) {
  const http = createHttp({ addressPolicy: parseAddressPolicy([]), timeouts: { stallMs: 1000 } });
  closing.push(() => http.close());
  const config = { huggingFace: { endpoint: url, token: undefined }, ipfsGateways: [url], gatewayData: undefined };
  return checkVersion(jobOf(origin), { config, http, health }, signal);
}

async function gateway(headers: Record<string, string>, status = 200): Promise<{ url: string; asked: string[] }> {
  const asked: string[] = [];
  const server: Server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    response.writeHead(status, headers).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(() => new Promise((resolve) => server.close(resolve)));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

describe('a check of a hub', () => {
  const watched = { repo: 'acme/sample', revision: 'main', commit: commit('a') };
  const hub = async (now: string) => {
    const origin = await startOrigin({ repos: { 'acme/sample': { commit: now, files: {} } } });
    closing.push(() => origin.close());
    return origin;
  };

  it('VE2 asks once for the revision and says that it moved', async () => {
    const origin = await hub(commit('b'));
    const answers = await check({ huggingface: watched }, origin.url);
    expect(answers).toMatchObject([{ source: 'huggingface', available: commit('b'), newer: true, error: null }]);
    expect(origin.requests.map(({ method, path }) => `${method} ${path}`)).toEqual([
      'GET /api/models/acme/sample/revision/main',
    ]);
  });

  it('reports no newer version when the revision did not move, or the current commit is not known', async () => {
    const origin = await hub(commit('a'));
    expect(await check({ huggingface: watched }, origin.url)).toMatchObject([{ newer: false }]);
    const unknown = { repo: 'acme/sample', revision: 'main' };
    expect(await check({ huggingface: unknown }, origin.url)).toMatchObject([{ available: commit('a'), newer: false }]);
  });

  it('answers with the reason when the hub does not', async () => {
    const origin = await hub(commit('b'));
    const [answer] = await check({ huggingface: { ...watched, repo: 'acme/gone' } }, origin.url);
    expect(answer).toMatchObject({ available: null, newer: false });
    expect(answer!.error).toMatch(/401/);
  });

  it('L16 tells of the pause that the hub asks for, and does not ask it again meanwhile', async () => {
    const origin = await hub(commit('b'));
    origin.rules.push({ fault: { do: 'status', status: 429, retryAfterS: 60 } });
    const health = new SourceHealth();
    const ask = () => check({ huggingface: watched }, origin.url, undefined, health);
    expect(await ask()).toMatchObject([{ available: null, error: expect.stringContaining('answered 429') }]);
    expect(health.asked.list()).toMatchObject([{ origin: origin.url }]);
    expect(await ask()).toMatchObject([{ available: null, error: expect.stringContaining('is paused') }]);
    expect(origin.requests).toHaveLength(1);
  });

  it('ends with the reason of its signal when it is stopped', async () => {
    const origin = await hub(commit('b'));
    const stopped = AbortSignal.abort(new Error('stopped'));
    await expect(check({ huggingface: watched }, origin.url, stopped)).rejects.toThrow('stopped');
  });
});

describe('a check of an IPNS name', () => {
  const watched = { name: 'models.example.org', cid: CID };

  it.each([
    ['the roots', { 'x-ipfs-roots': OTHER_CID }],
    ['the entity tag', { etag: `"${OTHER_CID}"` }],
    ['the entity tag of a folder', { etag: `W/"DirIndex-2b567f6r5vvdg_CID-${OTHER_CID}"` }],
  ])('VE2 reads what it stands for from %s', async (_name, headers) => {
    const { url, asked } = await gateway(headers);
    expect(await check({ ipfs: watched }, url)).toMatchObject([
      { source: 'ipfs', available: OTHER_CID, newer: true, error: null },
    ]);
    expect(asked).toEqual(['HEAD /ipns/models.example.org']);
  });

  it('L16 leaves a paused gateway out', async () => {
    const [{ url, asked }, health] = [await gateway({ 'x-ipfs-roots': OTHER_CID }), new SourceHealth()];
    health.coolDown(url, 60_000);
    expect(await check({ ipfs: watched }, url, undefined, health)).toMatchObject([
      { available: null, error: expect.stringContaining('is paused') },
    ]);
    expect(asked).toEqual([]);
  });

  it('E11 knows the current version in another spelling', async () => {
    const { url } = await gateway({ 'x-ipfs-roots': CID });
    expect(await check({ ipfs: watched }, url)).toMatchObject([{ available: CID, newer: false }]);
  });

  it.each([
    ['says nothing of it', {}, 200],
    ['says something else', { etag: '"12345-abc"' }, 200],
    ['does not answer', {}, 504],
  ])('answers with the reason when the gateway %s', async (_name, headers, status) => {
    const { url } = await gateway(headers as Record<string, string>, status);
    const [answer] = await check({ ipfs: watched }, url);
    expect(answer).toMatchObject({ available: null, newer: false });
    expect(answer!.error).not.toBe('');
  });
});
