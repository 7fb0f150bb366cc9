import { afterEach, describe, expect, it } from '@jest/globals';
import type { Source } from '#core/source';
import type { Http } from '#http/pool';
import { parseGateway } from '#sources/gateway/gateways';
import { gatewayKind, ipfsGateway } from '#sources/gateway/ipfs-gateway';
import { parseAddressPolicy } from '#http/address/address-policy';
import type { Fault, FaultRule } from '../../../helpers/origin/origin-fault.ts';
import { someBytes } from '../../../helpers/origin/origin-content.ts';
import type { Origin } from '../../../helpers/origin/origin.ts';
import { startOrigin } from '../../../helpers/origin/origin.ts';
import { collect, quickHttp } from '../collect.ts';

const FILE = someBytes(5000);
const BLOCK = someBytes(300, 'block');
const BLOCKS = new Map([
  ['bafyblock', BLOCK],
  ['bafyother', someBytes(200, 'other')],
]);
const never = new AbortController().signal;

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function start(...faults: Fault[]): Promise<{ origin: Origin; http: Http; source: Source }> {
  const origin = await startOrigin({ ipfs: { bafyfile: FILE }, blocks: new Map([['bafyblock', BLOCK]]) }, faults);
  const http = quickHttp();
  closers.push(
    () => origin.close(),
    () => http.close(),
  );
  const gateway = parseGateway(origin.url);
  return { origin, http, source: ipfsGateway({ http, gateway, cid: 'bafyfile', fileName: 'm.onnx', trusted: true }) };
}

const part = { range: { start: 10, end: 20 }, sizeBytes: FILE.length };

describe('a gateway', () => {
  it('asks for plain bytes without a format and never with If-Range', async () => {
    const { origin, source } = await start();
    await collect(source, part);
    await collect(source, part);
    expect(origin.requests.map((request) => request.path)).toEqual(['/ipfs/bafyfile', '/ipfs/bafyfile']);
    expect(origin.requests[1]!.headers['if-range']).toBeUndefined();
  });

  it('fetches a block with both the parameter and the header', async () => {
    const { origin, source } = await start();
    expect(Buffer.from(await source.readBlock!('bafyblock', 1000, never)).equals(BLOCK)).toBe(true);
    expect(origin.requests[0]).toMatchObject({
      path: '/ipfs/bafyblock?format=raw',
      headers: { accept: 'application/vnd.ipld.raw', 'accept-encoding': 'identity' },
    });
  });

  it('refuses a block that is longer than wanted, and an HTML page', async () => {
    const { source } = await start({ do: 'none' }, { do: 'html' }, { do: 'endless' });
    await expect(source.readBlock!('bafyblock', 299, never)).rejects.toMatchObject({ kind: 'bad-response' });
    await expect(source.readBlock!('bafyblock', 1000, never)).rejects.toMatchObject({ kind: 'bad-response' });
    await expect(source.readBlock!('bafyblock', 1000, never)).rejects.toMatchObject({ kind: 'bad-response' });
  });

  it('reports missing when it did not find the content', async () => {
    const { source } = await start();
    await expect(source.readBlock!('bafynone', 1000, never)).rejects.toMatchObject({
      kind: 'missing',
      httpStatus: 500,
    });
  });

  it.each([
    [404, '', 'missing'],
    [410, '', 'missing'],
    [403, '', 'missing'],
    [412, '', 'missing'],
    [451, '', 'missing'],
    [500, 'ipld: could not find node', 'missing'],
    [500, 'getting pieces containing cid x', 'missing'],
    [500, 'failed to load root node: y', 'missing'],
    [500, 'panic', 'server-error'],
    [429, '', 'throttled'],
    [502, '', 'throttled'],
    [503, '', 'throttled'],
    [504, '', 'throttled'],
    [501, '', 'range-refused'],
    [416, '', 'range-refused'],
    [406, '', 'range-refused'],
    [400, '', 'range-refused'],
  ])('E02 E03 E09 reads status %i "%s" as %s', (status, body, kind) => {
    expect(gatewayKind(status, body)).toBe(kind);
  });

  it('E09 learns that it serves blocks only', async () => {
    const { source } = await start({ do: 'status', status: 406, body: 'only raw' });
    expect((await collect(source, part)).error).toMatchObject({
      kind: 'range-refused',
      message: 'answered 406: only raw',
    });
    expect(source.capabilities()).toMatchObject({ range: false, blocks: true });
  });

  it('A28 HT2 has a cooldown of a second at least and ten minutes at most, whatever its Retry-After', async () => {
    const throttled = (retryAfterS: number): Fault => ({ do: 'status', status: 429, retryAfterS });
    const { source } = await start(throttled(0), throttled(7), throttled(86_400));
    for (const retryAfterMs of [1000, 7000, 600_000])
      expect((await collect(source, part)).error).toMatchObject({ kind: 'throttled', retryAfterMs });
  });

  it('follows no more than three redirects', async () => {
    const { source } = await start({ do: 'redirect-chain', hops: 4 });
    expect((await collect(source, part)).error).toMatchObject({ kind: 'bad-response' });
  });
});

describe('a gateway that redirects', () => {
  const subdomain = (port: number, name: string): string => `http://${name}.ipfs.localhost:${port}`;

  /** A path gateway and, under other names, the place that it sends us to. */
  async function redirecting(now?: () => number) {
    const place = await startOrigin({ files: { '/': FILE }, ipfs: { bafyfile: FILE }, blocks: BLOCKS });
    const origin = await startOrigin({ ipfs: { bafyfile: FILE }, blocks: BLOCKS });
    const http = quickHttp({ ...(now && { now }) });
    closers.push(
      () => place.close(),
      () => origin.close(),
      () => http.close(),
    );
    const gateway = parseGateway(origin.url);
    const source = ipfsGateway({ http, gateway, cid: 'bafyfile', fileName: 'm.onnx', trusted: true });
    return { place, origin, source };
  }

  it('E08 HA1 is followed to the subdomain of the CID once, and asked there from then on', async () => {
    const { place, origin, source } = await redirecting();
    origin.rules.push({ fault: { do: 'redirect', to: `${subdomain(place.port, 'bafyfile')}/`, status: 301 } });
    for (let at = 0; at < 40; at += 10) {
      const got = await collect(source, { range: { start: at, end: at + 10 }, sizeBytes: FILE.length });
      expect(got.bytes.equals(FILE.subarray(at, at + 10))).toBe(true);
    }
    expect(origin.requests).toHaveLength(1);
    expect(place.requests.map(({ headers }) => headers['host'])).toEqual(
      Array<string>(4).fill(`bafyfile.ipfs.localhost:${place.port}`),
    );
  });

  it('E08 HA2 is asked itself again when the other place refuses or is down; only a second failure counts', async () => {
    const { place, origin, source } = await redirecting();
    const to = { do: 'redirect', to: `${subdomain(place.port, 'bafyfile')}/`, status: 301 } as const;
    origin.faults.push(to, to);
    await collect(source, part);
    place.faults[1] = { do: 'status', status: 410 };
    expect((await collect(source, part)).error).toBeUndefined();
    expect(origin.requests).toHaveLength(2);
    await place.close();
    expect((await collect(source, part)).error).toBeUndefined();
    expect(origin.requests).toHaveLength(3);
  });

  it('E08 HA1 resolves a signed link again shortly before it ends', async () => {
    let now = Date.UTC(2026, 0, 1);
    const { place, origin, source } = await redirecting(() => now);
    const query = 'X-Amz-Date=20260101T000000Z&X-Amz-Expires=600';
    origin.rules.push({ fault: { do: 'redirect', to: `${place.url}/ipfs/bafyfile?${query}` } });
    await collect(source, part);
    now += 539_000;
    await collect(source, part);
    expect(origin.requests).toHaveLength(1);
    now += 1000;
    await collect(source, part);
    expect(origin.requests).toHaveLength(2);
  });

  it('HA7 remembers how the address policy judged the other place, so that no forbidden address is reached through it', async () => {
    const { place, origin } = await redirecting();
    origin.rules.push({ fault: { do: 'redirect', to: `${place.url}/ipfs/bafyfile` } });
    const http = quickHttp({ addressPolicy: parseAddressPolicy([]) });
    closers.push(() => http.close());
    const gateway = parseGateway(origin.url);
    const source = ipfsGateway({ http, gateway, cid: 'bafyfile', fileName: 'm.onnx', trusted: true });
    for (let i = 0; i < 2; i += 1)
      expect((await collect(source, part)).error).toMatchObject({ kind: 'address-refused' });
    expect(place.connections()).toBe(0);
  });

  it('E08 is asked for further blocks at the place to which it redirected for the first', async () => {
    const { place, origin, source } = await redirecting();
    const to = (cid: string): FaultRule => ({
      path: `/${cid}?`,
      fault: { do: 'redirect', to: `${place.url}/ipfs/${cid}?format=raw` },
    });
    origin.rules.push(to('bafyblock'), to('bafyother'));
    for (const [cid, block] of BLOCKS) {
      const got = await source.readBlock!(cid, 1000, never);
      expect(Buffer.from(got).equals(block)).toBe(true);
    }
    expect(origin.requests.map(({ path }) => path)).toEqual(['/ipfs/bafyblock?format=raw']);
    expect(place.requests).toHaveLength(BLOCKS.size);
  });

  it('E08 is asked itself after the place of its blocks, or of its file, failed', async () => {
    const { place, origin, source } = await redirecting();
    const to = (path: string) => ({ path, fault: { do: 'redirect', to: `${place.url}/ipfs/${path}` } }) as const;
    origin.rules.push({ ...to('bafyblock?format=raw'), times: 1 }, { ...to('bafyfile'), times: 1 });
    await source.readBlock!('bafyblock', 1000, never);
    await collect(source, part);
    place.rules.push({ fault: { do: 'status', status: 503 } });
    await expect(source.readBlock!('bafyother', 1000, never)).rejects.toMatchObject({ kind: 'throttled' });
    expect((await collect(source, part)).error).toMatchObject({ kind: 'throttled' });
    expect(origin.requests).toHaveLength(2);
    expect(await source.readBlock!('bafyother', 1000, never)).toHaveLength(200);
    expect((await collect(source, part)).error).toBeUndefined();
    expect(origin.requests).toHaveLength(4);
  });

  it('E08 is asked itself for a block that is not where the others are', async () => {
    const { place, origin, source } = await redirecting();
    origin.rules.push({
      path: 'bafyblock',
      fault: { do: 'redirect', to: `${place.url}/ipfs/bafyblock?format=raw` },
    });
    place.rules.push({ path: 'bafyother', fault: { do: 'status', status: 404 } });
    await source.readBlock!('bafyblock', 1000, never);
    expect(await source.readBlock!('bafyother', 1000, never)).toHaveLength(200);
    await source.readBlock!('bafyother', 1000, never);
    expect(origin.requests).toHaveLength(3);
    expect(place.requests).toHaveLength(2);
  });
});

describe('an entry of IPFS_GATEWAYS', () => {
  it.each([
    ['https://gw.example', 'https://gw.example'],
    ['https://gw.example/ipfs/', 'https://gw.example'],
    ['http://127.0.0.1:8080/', 'http://127.0.0.1:8080'],
    ['gw.example', 'https://gw.example'],
    [' https://gw.example/prefix/ipfs ', 'https://gw.example/prefix'],
  ])('%s means %s', (text, baseUrl) => {
    expect(parseGateway(text).baseUrl).toBe(baseUrl);
  });

  it('knows the limits of public gateways', () => {
    expect(parseGateway('https://gateway.pinata.cloud').hints).toMatchObject({
      requestsPerMinute: 200,
      requestsPerMinutePerCid: 15,
    });
    expect(parseGateway('https://trustless-gateway.link').hints.blocksOnly).toBe(true);
  });

  it('uses the hints of the operator for a gateway and its subdomains before the built-in ones, the most specific name first', () => {
    const data = {
      'ipfs.io': { requestsPerMinute: 5 },
      'eu.ipfs.io': { blocksOnly: true },
      'w3s.link': {},
    };
    expect(parseGateway('https://ipfs.io', data).hints).toEqual({ requestsPerMinute: 5 });
    expect(parseGateway('https://a.ipfs.io', data).hints).toEqual({ requestsPerMinute: 5 });
    expect(parseGateway('https://b.eu.ipfs.io', data).hints).toEqual({ blocksOnly: true });
    expect(parseGateway('https://dweb.link', data).hints).toEqual(parseGateway('https://dweb.link').hints);
    expect(parseGateway('https://w3s.link', data)).toEqual({ baseUrl: 'https://w3s.link', hints: {} });
  });

  it.each(['https://cloudflare-ipfs.com/ipfs/', 'cf-ipfs.com', 'https://bafy.ipfs.w3s.link'])(
    'E01 names %s as gone and says what to do',
    (text) => {
      expect(() => parseGateway(text)).toThrow(/remove it from IPFS_GATEWAYS/);
    },
  );

  it.each(['', 'ftp://x', 'https://', 'https://u:p@gw.example', 'http://[', 'https://gw/?a=1'])(
    'refuses "%s"',
    (text) => {
      expect(() => parseGateway(text)).toThrow(/is not a gateway: write for example/);
    },
  );
});
