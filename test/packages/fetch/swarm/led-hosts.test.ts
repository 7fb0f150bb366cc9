import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterAll, describe, expect, it } from '@jest/globals';
import { ExhaustedError } from '#core/failure';
import { KIB, MIB } from '#core/units';
import type { PieceLeases } from '#fetch/swarm/host-share';
import { expectNoLeaks } from '../../../helpers/leaks.ts';
import { dagOf, oddPeer, slowOrigin, swarmHost } from '../../../helpers/swarm-kit.ts';
import { bytesOf, sha256Of } from '../../../helpers/transfer-kit.ts';
import { removeTemporaryFolders } from '../../store/temp-store.ts';

const stops: (() => Promise<void>)[] = [];
afterAll(async () => {
  for (const stop of stops.splice(0)) await stop();
  await removeTemporaryFolders();
});
expectNoLeaks();

const bytes = bytesOf(8 * MIB, 'led');
const dag = dagOf(bytes);
const sha256 = sha256Of(bytes);

async function kept<Server extends { readonly close: () => Promise<void> }>(made: Promise<Server>): Promise<Server> {
  const server = await made;
  stops.push(server.close);
  return server;
}

async function host() {
  const made = await swarmHost();
  stops.push(made.stop);
  return made;
}

const LED: PieceLeases = {
  ...{ state: 'known', getsNone: false, isAlone: false, isFar: () => false },
  ...{ mayAsk: () => false, mayTake: () => true },
};

/** Answers like a peer that has everything. @param send writes the part */
const answering =
  (id: string, send: (part: Buffer, response: ServerResponse) => void) =>
  ({ url, headers }: IncomingMessage, response: ServerResponse): void => {
    const says = { 'swarm-have': 'all', 'swarm-size': String(bytes.length), 'swarm-peer': id };
    if (url!.endsWith('/have')) return void response.writeHead(204, says).end();
    const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(headers.range!)!;
    const part = bytes.subarray(Number(first), Number(last) + 1);
    const range = `bytes ${first}-${last}/${bytes.length}`;
    response.writeHead(206, { ...says, 'content-range': range, 'content-length': part.length });
    response.flushHeaders();
    send(part, response);
  };
const atOnce = (part: Buffer, response: ServerResponse): void => void response.end(part);

const paced =
  (chunkBytes: number, everyMs: number) =>
  (part: Buffer, response: ServerResponse): void => {
    let sent = 0;
    const timer = setInterval(() => {
      response.write(part.subarray(sent, (sent += chunkBytes)));
      if (sent >= part.length) response.end();
    }, everyMs);
    response.once('close', () => clearInterval(timer));
  };

describe('hosts that a tracker leads', () => {
  it('N6 ask the origin for the pieces that are leased to them, once, and each other for the rest', async () => {
    const origin = await kept(slowOrigin(bytes, 8 * MIB));
    const hosts = [await host(), await host()];
    const all = await Promise.all(
      hosts.map((one, index) => {
        const leases: PieceLeases = { ...LED, mayAsk: (piece) => piece % 2 === index };
        const peers = hosts.filter((other) => other !== one).map(({ url }) => url);
        return one.fetch({ bytes, dag, origin: origin.url, peers, leases });
      }),
    );
    expect(all.map(({ digests }) => digests.sha256)).toEqual([sha256, sha256]);
    expect(origin.sent() / bytes.length).toBeLessThan(1.05);
  });

  it('N6 ask the origin for leased pieces that only hosts of other sites have', async () => {
    const origin = await kept(slowOrigin(bytes, 100 * MIB));
    const far = await kept(oddPeer(answering('far', atOnce)));
    const one = await host();
    const leases: PieceLeases = { ...LED, mayAsk: () => true, mayTake: () => false };
    const obtained = await one.fetch({ bytes, dag, origin: origin.url, peers: [far.url], leases });
    expect([obtained.digests.sha256, origin.sent() > 0]).toEqual([sha256, true]);
  });

  it('N6 fail when nothing is leased to them, and neither a peer nor an origin is left', async () => {
    const one = await host();
    await expect(one.fetch({ bytes, dag, peers: [], leases: LED })).rejects.toThrow(ExhaustedError);
  });

  it('L14 wait for what others bring while they are given nothing, and help themselves when nobody brings it', async () => {
    const origin = await kept(slowOrigin(bytes, 100 * MIB));
    const giving = await kept(oddPeer(answering('giving', atOnce)));
    const leases: PieceLeases = { ...LED, getsNone: true };
    const one = await host();

    const brought = await one.fetch({ bytes, dag, origin: origin.url, peers: [giving.url], leases });
    expect([brought.digests.sha256, origin.sent()]).toEqual([sha256, 0]);
    const other = await host();
    const mayTake = (): boolean => false;
    const fetch = { bytes, dag, origin: origin.url, peers: [giving.url], leases: { ...leases, mayTake }, haste: 20 };
    expect((await other.fetch(fetch)).digests.sha256).toBe(sha256);
    expect(origin.sent()).toBeGreaterThanOrEqual(bytes.length);
  });

  it('N6 do not ask a second host for what arrives from another site, however slow that is', async () => {
    const [far, other] = [
      await kept(oddPeer(answering('far', paced(32 * KIB, 150)))),
      await kept(oddPeer(answering('other', paced(32 * KIB, 150)))),
    ];
    const near = await Promise.all(
      [1, 2, 3].map((number) => kept(oddPeer(answering(`near-${number}`, paced(256 * KIB, 50))))),
    );
    const one = await host();
    const isFar = (url: string): boolean => url === far.url || url === other.url;
    // The last piece is leased to it alone; all others come from the host of its site.
    const last = bytes.length / MIB - 1;
    const leases: PieceLeases = { ...LED, isFar, mayTake: (url, piece) => isFar(url) === (piece === last) };
    const obtained = await one.fetch({
      bytes,
      dag,
      peers: [far, other, ...near].map(({ url }) => url),
      leases,
      haste: 5,
    });
    expect(obtained.digests.sha256).toBe(sha256);
    expect([...far.requests, ...other.requests]).toHaveLength(1);
  });
});
