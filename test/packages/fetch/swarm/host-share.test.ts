import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterAll, describe, expect, it } from '@jest/globals';
import { ExhaustedError } from '#core/failure';
import { KIB, MIB } from '#core/units';
import { PeerBook } from '#fetch/swarm/peer-book';
import { expectNoLeaks } from '../../../helpers/leaks.ts';
import { dagOf, oddPeer, slowOrigin, swarmHost, type SwarmHost } from '../../../helpers/swarm-kit.ts';
import { bytesOf, sha256Of } from '../../../helpers/transfer-kit.ts';
import { removeTemporaryFolders } from '../../store/temp-store.ts';

const stops: (() => Promise<void>)[] = [];
afterAll(async () => {
  for (const stop of stops.splice(0)) await stop();
  await removeTemporaryFolders();
});
expectNoLeaks();

const host = async (options?: Parameters<typeof swarmHost>[0]): Promise<SwarmHost> => {
  const made = await swarmHost(options);
  stops.push(made.stop);
  return made;
};

async function originOf(...args: Parameters<typeof slowOrigin>) {
  const origin = await slowOrigin(...args);
  stops.push(origin.close);
  return origin;
}

async function peerThat(answer: Parameters<typeof oddPeer>[0]) {
  const peer = await oddPeer(answer);
  stops.push(peer.close);
  return peer;
}

const others = (hosts: readonly SwarmHost[], one: SwarmHost): string[] =>
  hosts.filter((other) => other !== one).map(({ url }) => url);

const bytes = bytesOf(16 * MIB, 'swarm');
const dag = dagOf(bytes);
const sha256 = sha256Of(bytes);

const LEAF = 256 * KIB;
/** The rule that asks the origin when nothing arrives for long takes minutes: what is asked sooner has another reason. */
const SLOW_TO_DOUBT = 0.02;

/** Eight hosts in one process on a busy machine are slow, and none of them is away. */
const PATIENT = 0.2;

/** Answers like a peer that has all of the content. @param most of a part, and then nothing more */
function sendPart(
  content: Buffer,
  { url, headers }: IncomingMessage,
  response: ServerResponse,
  id = 'odd',
  most = Infinity,
): void {
  const says = { ...HAS_ALL, 'swarm-peer': id };
  if (url!.endsWith('/have')) return void response.writeHead(204, says).end();
  const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(headers.range!)!;
  const part = content.subarray(Number(first), Number(last) + 1);
  const contentRange = `bytes ${first}-${last}/${content.length}`;
  response.writeHead(206, { ...says, 'content-range': contentRange, 'content-length': part.length });
  if (part.length <= most) response.end(part);
  else response.write(part.subarray(0, most));
}

/** What a peer says that has the whole file. */
const HAS_ALL = { 'swarm-have': 'all', 'swarm-size': String(bytes.length), 'swarm-peer': 'odd' };

describe('hosts that fetch one file at the same time', () => {
  it('N6 ask the origin about once for each byte, without a leader', async () => {
    const origin = await originOf(bytes, 6 * MIB);
    const hosts = await Promise.all(Array.from({ length: 8 }, () => host()));
    const all = await Promise.all(
      hosts.map((one) =>
        one.fetch({ bytes, dag, origin: origin.url, peers: hosts.map(({ url }) => url), haste: PATIENT }),
      ),
    );
    expect(all.map(({ digests }) => digests.sha256)).toEqual(hosts.map(() => sha256));
    expect(origin.sent() / bytes.length).toBeLessThan(1.3);
  });

  it('N6 F17 a later host takes the whole file from the earlier ones, its leaf table too', async () => {
    const origin = await originOf(bytes, 100 * MIB);
    const [first, second] = [await host(), await host()];
    await first.fetch({ bytes, dag, origin: origin.url, peers: [second.url] });
    const before = origin.sent();
    const obtained = await second.fetch({ bytes, dag, origin: origin.url, peers: [first.url], withoutTable: true });
    expect(obtained).toMatchObject({ outcome: 'tertiary_peer_success', verified: 'leaves', badLeaves: 0 });
    expect(origin.sent()).toBe(before);
  });

  it('L07 N6 finish when the origin is gone after one copy', async () => {
    const origin = await originOf(bytes, 8 * MIB, 1.3 * bytes.length);
    const hosts = await Promise.all([host(), host(), host()]);
    const all = await Promise.all(
      hosts.map((one) => one.fetch({ bytes, dag, origin: origin.url, peers: others(hosts, one) })),
    );
    expect(all.map(({ digests }) => digests.sha256)).toEqual([sha256, sha256, sha256]);
  });

  it('L08 do not take themselves for a peer', async () => {
    const origin = await originOf(bytes, 100 * MIB);
    const one = await host();
    const obtained = await one.fetch({ bytes, dag, origin: origin.url, peers: [one.url] });
    expect(obtained.sources.find(({ layer }) => layer === 'peer')).toMatchObject({ bytes: 0, errors: 0 });
  });

  it('CH6 L05 E05 take no byte of a peer that sends others, and leave it', async () => {
    const wrong = Buffer.from(bytes).fill(7);
    const liar = await peerThat((request, response) => sendPart(wrong, request, response));
    const origin = await originOf(bytes, 100 * MIB);
    const one = await host();
    const obtained = await one.fetch({ bytes, dag, origin: origin.url, peers: [liar.url] });
    expect(obtained.digests.sha256).toBe(sha256);
    const [report] = obtained.sources.filter(({ layer }) => layer === 'peer');
    expect(report).toMatchObject({ bytes: 0, leftBecause: expect.anything() });
    expect(report!.badLeaves).toBeGreaterThan(0);
    expect(obtained.sources.find(({ layer }) => layer !== 'peer')).toMatchObject({ badLeaves: 0 });
  });

  it('L05 lose one request to a peer that offers what it does not have', async () => {
    const liar = await peerThat((request, response) =>
      response.writeHead(request.url!.endsWith('/have') ? 204 : 416, HAS_ALL).end(),
    );
    const origin = await originOf(bytes, 100 * MIB);
    const one = await host();
    const absent: number[] = [];
    const onAbsent = (piece: number): void => void absent.push(piece);
    const obtained = await one.fetch({ bytes, dag, origin: origin.url, peers: [liar.url], onAbsent });
    expect(obtained.digests.sha256).toBe(sha256);
    expect(liar.requests).toHaveLength(1);
    expect(absent).toHaveLength(1);
  });

  it('L06 go on from the origin when a peer dies in the middle of a piece', async () => {
    let isDead = false;
    const dying = await peerThat((request, response) => {
      if (isDead) return request.socket.destroy();
      if (request.url!.endsWith('/have')) return response.writeHead(204, HAS_ALL).end();
      const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range!)!;
      const contentLength = Number(last) - Number(first) + 1;
      response.writeHead(206, {
        ...{ ...HAS_ALL, 'content-length': contentLength },
        'content-range': `bytes ${first}-${last}/${bytes.length}`,
      });
      response.write(bytes.subarray(Number(first), Number(first) + 300_000), () => response.destroy());
      isDead = true;
      return response;
    });
    const origin = await originOf(bytes, 100 * MIB);
    const one = await host();
    const obtained = await one.fetch({ bytes, dag, origin: origin.url, peers: [dying.url], haste: 10 });
    expect(obtained).toMatchObject({ digests: { sha256 }, badLeaves: 0 });
  });

  it('L06 do not wait for a peer that sends nothing, nor for one that answers nothing', async () => {
    const stalled = await peerThat((request, response) => {
      if (request.url!.endsWith('/have')) response.writeHead(204, HAS_ALL).end();
    });
    const mute = await peerThat(() => undefined);
    const origin = await originOf(bytes, 100 * MIB);
    const one = await host();
    const obtained = await one.fetch({ bytes, dag, origin: origin.url, peers: [stalled.url, mute.url], haste: 10 });
    expect(obtained.digests.sha256).toBe(sha256);
  });

  it('L06 fail with every reason when the only peer never gets further', async () => {
    const poor = await peerThat((_request, response) =>
      response.writeHead(204, { ...HAS_ALL, 'swarm-have': 'AAA' }).end(),
    );
    const one = await host();
    await expect(one.fetch({ bytes, dag, peers: [poor.url], haste: 20 })).rejects.toThrow(ExhaustedError);
  });

  it('N6 take a file from a host that joins while they fetch, and do not wait for one that leaves', async () => {
    const [full, one] = [await host(), await host()];
    await full.fetch({ bytes, dag, origin: (await originOf(bytes, 100 * MIB)).url, peers: [] });
    const book = new PeerBook();
    const leaving = await peerThat((request, response) => {
      if (request.url!.endsWith('/have')) response.writeHead(204, HAS_ALL).end();
      else book.set('test', [full.url]);
    });
    book.set('test', [leaving.url]);
    const obtained = await one.fetch({ bytes, dag, peers: book, haste: SLOW_TO_DOUBT });
    expect(obtained.digests.sha256).toBe(sha256);
    expect(obtained.sources.map((source) => source.bytes)).toEqual([0, bytes.length]);
  });

  it('L05 ask another source at once for a leaf that a peer sent wrong, and the peer for the rest', async () => {
    const damaged = Buffer.from(bytes);
    damaged.fill(7, 5 * LEAF, 6 * LEAF);
    const liar = await peerThat((request, response) => sendPart(damaged, request, response));
    const origin = await originOf(bytes, 100 * MIB);
    const one = await host();
    const obtained = await one.fetch({ bytes, dag, origin: origin.url, peers: [liar.url], haste: SLOW_TO_DOUBT });
    expect(obtained).toMatchObject({ digests: { sha256 }, badLeaves: 1 });
    expect(origin.sent()).toBe(LEAF);
  });

  it('L05 are not stopped by three peers that send the same wrong leaf', async () => {
    const damaged = Buffer.from(bytes);
    damaged.fill(7, 5 * LEAF, 6 * LEAF);
    const liars = [1, 2, 3, 4].map((number) =>
      peerThat((request, response) => sendPart(damaged, request, response, `liar-${number}`)),
    );
    const origin = await originOf(bytes, 100 * MIB);
    const peers = (await Promise.all(liars)).map(({ url }) => url);
    const obtained = await (await host()).fetch({ bytes, dag, origin: origin.url, peers, haste: SLOW_TO_DOUBT });
    expect(obtained.digests.sha256).toBe(sha256);
  });

  it('L06 lose seconds, not more, to a peer that falls silent in the middle of a piece', async () => {
    let isSilent = false;
    const silent = await peerThat((request, response) => {
      if (isSilent) return;
      if (request.url!.endsWith('/have')) return response.writeHead(204, HAS_ALL).end();
      isSilent = true;
      return sendPart(bytes, request, response, 'silent', 300_000);
    });
    const origin = await originOf(bytes, 100 * MIB);
    const one = await host();
    const obtained = await one.fetch({ bytes, dag, origin: origin.url, peers: [silent.url], haste: SLOW_TO_DOUBT });
    expect(obtained).toMatchObject({ digests: { sha256 }, badLeaves: 0 });
    expect(origin.sent()).toBeLessThanOrEqual(bytes.length);
  });

  it('L06 do not wait for their turn at a peer that does not answer any more', async () => {
    let isSilent = false;
    const silent = await peerThat((request, response) => {
      if (isSilent) return;
      if (request.url!.endsWith('/have')) return response.writeHead(204, HAS_ALL).end();
      isSilent = true;
    });
    const origin = await originOf(bytes, 100 * MIB);
    const one = await host();
    const obtained = await one.fetch({ bytes, dag, origin: origin.url, peers: [silent.url], haste: SLOW_TO_DOUBT });
    expect(obtained.digests.sha256).toBe(sha256);
  });

  it('L08 read only from hosts that have the key of the site', async () => {
    const origin = await originOf(bytes, 100 * MIB);
    const first = await host({ siteKey: 'of-this-site' });
    await first.fetch({ bytes, dag, origin: origin.url, peers: [] });
    const near = await host({ siteKey: 'of-this-site' });
    expect(await near.fetch({ bytes, dag, peers: [first.url] })).toMatchObject({ outcome: 'tertiary_peer_success' });
    const foreign = await host({ siteKey: 'of-another-site' });
    await expect(foreign.fetch({ bytes, dag, peers: [first.url] })).rejects.toThrow(ExhaustedError);
  });
});
