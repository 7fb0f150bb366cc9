import { EventEmitter } from 'node:events';
import { open, writeFile } from 'node:fs/promises';
import { request, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { MIB } from '#core/units';
import { PEER_HEADER } from '#http/peer-token';
import { silentLogger } from '#core/logger';
import { SITE_HEADER, signForSite } from '#http/site-signature';
import { ClientGone, sendRange } from '#serve/http/send-content';
import { GrowingFiles } from '#serve/swarm/growing-files';
import { dagOf } from '../../../helpers/swarm-kit.ts';
import { bytesOf } from '../../../helpers/transfer-kit.ts';
import { until } from '../../../helpers/until.ts';
import { temporaryFolder } from '../../store/temp-store.ts';
import { ask, cleansUp, publishBytes, served, type Served } from '../serve-kit.ts';
import { growingLeaves } from './growing-leaves.ts';

cleansUp();
const bytes = bytesOf(4 * MIB, 'served to hosts');
const { cid, table } = dagOf(bytes);
const LEAF = 256 * 1024;
let growing: GrowingFiles;
let server: Served;
/** Leaves that are here. */
const done = new Set<number>();
/** Called when further leaves are here. */
const more = new Set<() => void>();
let path: string;

beforeAll(async () => {
  growing = new GrowingFiles();
  server = await served({ growing, peerId: 'this-host', privateModels: ['secret'] });
  path = join(await temporaryFolder(), 'growing.part');
  await writeFile(path, bytes);
});

function offer(leaves: readonly number[], model: string | null = null): () => void {
  done.clear();
  for (const leaf of leaves) done.add(leaf);
  return growing.offer(
    growingLeaves(path, table, {
      ...{ model, isDone: (leaf) => done.has(leaf) },
      onMore: (listener) => {
        more.add(listener);
        return () => more.delete(listener);
      },
    }),
  );
}

const part = (from: number, to: number) =>
  ask(`${server.url}/swarm/${cid}`, { headers: { range: `bytes=${from}-${to - 1}` } });

describe('a worker to other hosts', () => {
  it('N6 says which pieces of a growing file are here, and its own name', async () => {
    const end = offer([0, 1, 2, 3, 8]);
    const { status, headers } = await ask(`${server.url}/swarm/${cid}/have`);
    expect([status, headers['swarm-have'], headers['swarm-size']]).toEqual([204, 'AQ', String(bytes.length)]);
    expect(headers['swarm-peer']).toBe('this-host');
    end();
    expect((await ask(`${server.url}/swarm/${cid}/have`)).status).toBe(404);
  });

  it('N6 goes on telling the pieces to a host that follows them, until the file is complete', async () => {
    const end = offer([0, 1, 2, 3]);
    const lines: string[] = [];
    const asked = request(`${server.url}/swarm/${cid}/have`, { headers: { 'swarm-follow': '1' } });
    const ended = new Promise<void>((resolve, reject) => {
      asked.on('error', reject).on('response', (response) => {
        response.setEncoding('latin1').on('data', (text: string) => lines.push(...text.trim().split('\n')));
        response.on('end', resolve);
      });
    });
    asked.end();
    await until(() => lines.includes('AQ 0'), { what: 'the pieces of now' });
    for (let leaf = 4; leaf < 8; leaf += 1) done.add(leaf);
    for (const listener of more) listener();
    await until(() => lines.includes('Aw 0'), { what: 'one piece more' });
    for (let leaf = 8; leaf < table.count; leaf += 1) done.add(leaf);
    for (const listener of more) listener();
    await ended;
    expect(lines.at(-1)).toBe('all 0');
    await until(() => more.size === 0, { what: 'the server listens no more' });
    end();
  });

  it('N6 ends what it tells when the file is not fetched any more', async () => {
    const end = offer([0]);
    const asked = ask(`${server.url}/swarm/${cid}/have`, { headers: { 'swarm-follow': '1' } });
    await until(() => more.size > 0, { what: 'the host is followed' });
    end();
    expect((await asked).status).toBe(200);
  });

  it('N6 sends verified leaves of a growing file, and of a longer range what is here of it', async () => {
    const end = offer([0, 1, 2, 3]);
    const whole = await part(0, 8 * LEAF);
    expect([whole.status, whole.headers['content-range']]).toEqual([206, `bytes 0-${4 * LEAF - 1}/${bytes.length}`]);
    expect(whole.body.equals(bytes.subarray(0, 4 * LEAF))).toBe(true);
    expect(whole.headers.etag).toBe(`"${cid}"`);
    expect((await part(LEAF + 10, LEAF + 20)).body).toEqual(bytes.subarray(LEAF + 10, LEAF + 20));
    end();
  });

  it('N6 refuses what is not here with what is', async () => {
    const end = offer([0, 1, 2, 3]);
    const { status, headers } = await part(4 * LEAF, 5 * LEAF);
    expect([status, headers['swarm-have'], headers['content-range']]).toEqual([416, 'AQ', `bytes */${bytes.length}`]);
    end();
  });

  it('L05 breaks off before a leaf that the disk has damaged since', async () => {
    const end = offer([0, 1, 2, 3]);
    const file = await open(path, 'r+');
    await file.write(Buffer.from('damage'), 0, 6, LEAF + 5);
    const answer = await part(0, 2 * LEAF);
    expect(answer).toMatchObject({ isBroken: true });
    expect(answer.body.length).toBeLessThanOrEqual(LEAF);
    await file.write(bytes, LEAF, LEAF, LEAF);
    await file.close();
    end();
  });

  it('EX5 a growing file of a private model is not there without a token', async () => {
    const end = offer([0], 'secret');
    expect((await part(0, LEAF)).status).toBe(404);
    end();
  });

  it('N6 a published file has all pieces, and other questions are refused', async () => {
    const published = await publishBytes(server.store, bytesOf(3 * MIB, 'published'));
    const url = `${server.url}/swarm/${published.cid}`;
    const answer = await ask(url, { headers: { range: 'bytes=100-199' } });
    expect([answer.status, answer.headers['swarm-have']]).toEqual([206, 'all']);
    expect(answer.body).toEqual(published.bytes.subarray(100, 200));
    expect((await ask(`${server.url}/swarm/no-cid`)).status).toBe(400);
    expect((await ask(url, { method: 'POST' })).status).toBe(405);
    expect((await ask(url, { headers: { range: 'bytes=99999999-' } })).status).toBe(416);
  });

  it('N6 hosts that wait for a slot get one in turn, and a further one is sent away', async () => {
    const large = await publishBytes(server.store, bytesOf(24 * MIB, 'large'));
    const url = `${server.url}/swarm/${large.cid}`;
    // These read nothing, so that each keeps its slot.
    const idle = Array.from({ length: 18 }, () => {
      const asked = request(url, { agent: false });
      asked.on('response', (response) => response.pause()).on('error', () => undefined);
      asked.end();
      return asked;
    });
    const refused = await until(
      async () => {
        const answer = await ask(url, { headers: { range: 'bytes=0-0' } });
        return answer.status === 503 ? answer : undefined;
      },
      { what: 'a host is sent away' },
    );
    expect([refused.headers['retry-after'], refused.headers['swarm-have']]).toEqual(['1', 'all']);
    for (const one of idle) one.destroy();
    await until(async () => (await ask(url, { headers: { range: 'bytes=0-9' } })).status === 206, {
      what: 'slots of hosts that left are free',
    });
  });
});

describe('the rate of a server', () => {
  it('N6 holds for all clients together', async () => {
    const slow = await served({ totalBytesPerSecond: 2 * MIB });
    const { cid: published } = await publishBytes(slow.store, bytesOf(2 * MIB, 'paced'));
    const startedAt = performance.now();
    const answers = await Promise.all([1, 2].map(() => ask(`${slow.url}/swarm/${published}`)));
    expect(answers.map(({ body }) => body.length)).toEqual([2 * MIB, 2 * MIB]);
    // Half a second of the rate may be ahead.
    expect(performance.now() - startedAt).toBeGreaterThan(1000);
  });
});

describe('a client that leaves while the next bytes are read', () => {
  it('N6 ends its answer, and not the process', async () => {
    const gone = (_bytes: Uint8Array, done: (error: Error) => void) => setImmediate(done, new Error('reset'));
    const response = Object.assign(new EventEmitter(), { destroyed: false, socket: { destroyed: false }, write: gone });
    const content = {
      ...{ sizeBytes: MIB, proofOf: () => undefined },
      // Later than the end of the write, whose rejection nothing awaits meanwhile.
      read: (buffer: Uint8Array) => new Promise<number>((resolve) => setTimeout(resolve, 50, buffer.length)),
    };
    const sending = sendRange(response as unknown as ServerResponse, content, { start: 0, end: MIB });
    await expect(sending).rejects.toThrow(ClientGone);
  });
});

describe('the token of a host', () => {
  it('L17 opens the files that it names below /swarm/, their nodes, and nothing else', async () => {
    const [own, other] = [bytesOf(3 * MIB, 'named'), bytesOf(3 * MIB, 'not named')];
    const named: string[] = [];
    const allowedBy = (token: string) => (token === 'of-host-b' ? named : undefined);
    const closed = await served({ access: { tokens: ['of-clients'], networks: [], allowedBy } });
    const [file, hidden] = [await publishBytes(closed.store, own), await publishBytes(closed.store, other)];
    named.push(file.cid);
    const status = async (path: string, token = 'of-host-b'): Promise<number> =>
      (await ask(`${closed.url}${path}`, { headers: { [PEER_HEADER]: token } })).status;
    expect(await status(`/swarm/${file.cid}/have`)).toBe(204);
    expect(await status(`/swarm/${file.cid}`)).toBe(206);
    expect(await status(`/swarm/${file.cid}/block/${file.cid}`)).toBe(200);
    expect(await status(`/swarm/${file.cid}/block/${hidden.cid}`)).toBe(404);
    expect(await status(`/swarm/${file.cid}/block/nonsense`)).toBe(400);
    expect(await status(`/swarm/${hidden.cid}/have`)).toBe(401);
    expect(await status(`/ipfs/${file.cid}`)).toBe(401);
    expect(await status(`/swarm/${file.cid}/have`, 'forged')).toBe(401);
  });
});

describe('the key of a site', () => {
  it('L08 opens the server to requests that are signed with it, for this path, at this time', async () => {
    const siteKey = 'secret-of-the-site';
    const told: object[] = [];
    const logger = { ...silentLogger, warn: (fields: object) => void told.push(fields) };
    const closed = await served({ growing, access: { tokens: ['of-clients'], networks: [], siteKey }, logger });
    const end = offer([0], null);
    const target = `/swarm/${cid}/have`;
    const withHeader = async (header: string): Promise<number> =>
      (await ask(`${closed.url}${target}`, { headers: { [SITE_HEADER]: header } })).status;
    const now = Date.now();
    expect(await withHeader(signForSite(siteKey, 'GET', target, now))).toBe(204);
    expect(await withHeader(signForSite('another', 'GET', target, now))).toBe(401);
    expect(await withHeader(signForSite(siteKey, 'GET', '/swarm/other/have', now))).toBe(401);
    expect(told).toEqual([]);
    for (let time = 0; time < 2; time += 1)
      expect(await withHeader(signForSite(siteKey, 'GET', target, now - 600_000))).toBe(401);
    expect(told).toMatchObject([{ address: '127.0.0.1', aheadSeconds: expect.closeTo(-600, -1) }]);
    expect(await withHeader('nonsense')).toBe(401);
    end();
  });
});
