import { afterAll, describe, expect, it } from '@jest/globals';
import { ExhaustedError } from '#core/failure';
import { MIB } from '#core/units';
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

/** What a peer says that has the whole file. */
const HAS_ALL = { 'swarm-have': 'all', 'swarm-size': String(bytes.length), 'swarm-peer': 'odd' };

describe('hosts that fetch one file at the same time', () => {
  it('N6 ask the origin about once for each byte, without a leader', async () => {
    const origin = await originOf(bytes, 6 * MIB);
    const hosts = await Promise.all(Array.from({ length: 8 }, () => host()));
    const all = await Promise.all(
      hosts.map((one) => one.fetch({ bytes, dag, origin: origin.url, peers: hosts.map(({ url }) => url) })),
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

  it('L05 E05 take no byte of a peer that sends others, and leave it', async () => {
    const wrong = Buffer.from(bytes).fill(7);
    const liar = await peerThat((request, response) => {
      if (request.url!.endsWith('/have')) return response.writeHead(204, HAS_ALL).end();
      const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range!)!;
      const part = wrong.subarray(Number(first), Number(last) + 1);
      const contentRange = `bytes ${first}-${last}/${bytes.length}`;
      return response.writeHead(206, { ...HAS_ALL, 'content-range': contentRange }).end(part);
    });
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
    const obtained = await one.fetch({ bytes, dag, origin: origin.url, peers: [liar.url] });
    expect(obtained.digests.sha256).toBe(sha256);
    expect(liar.requests).toHaveLength(1);
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
