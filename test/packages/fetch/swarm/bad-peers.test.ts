import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterAll, describe, expect, it } from '@jest/globals';
import { KIB, MIB } from '#core/units';
import type { PieceLeases } from '#fetch/swarm/host-share';
import { gateTo } from '../../../helpers/gate.ts';
import { expectNoLeaks } from '../../../helpers/leaks.ts';
import { dagOf, oddPeer, slowOrigin, swarmHost } from '../../../helpers/swarm-kit.ts';
import { bytesOf, sha256Of } from '../../../helpers/transfer-kit.ts';
import { until } from '../../../helpers/until.ts';
import { removeTemporaryFolders } from '../../store/temp-store.ts';

const stops: (() => Promise<void>)[] = [];
afterAll(async () => {
  for (const stop of stops.splice(0)) await stop();
  await removeTemporaryFolders();
});
expectNoLeaks();

/** Stops with the rest. */
function kept<Part extends { readonly close: () => Promise<void> } | { readonly stop: () => Promise<void> }>(
  part: Part,
): Part {
  stops.push('close' in part ? part.close : part.stop);
  return part;
}

const bytes = bytesOf(16 * MIB, 'swarm');
const dag = dagOf(bytes);
const sha256 = sha256Of(bytes);

/** Answers like a peer that has these pieces of the content. */
function answerWith(content: Buffer, have: string, id: string, send: (part: Buffer, response: ServerResponse) => void) {
  const says = { 'swarm-have': have, 'swarm-size': String(content.length), 'swarm-peer': id };
  return ({ url, headers }: IncomingMessage, response: ServerResponse): void => {
    if (url!.endsWith('/have')) return void response.writeHead(204, says).end();
    const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(headers.range!)!;
    const part = content.subarray(Number(first), Number(last) + 1);
    const contentRange = `bytes ${first}-${last}/${content.length}`;
    response.writeHead(206, { ...says, 'content-range': contentRange, 'content-length': part.length });
    send(part, response);
  };
}

const atOnce = (part: Buffer, response: ServerResponse): void => void response.end(part);

/** Never silent, and never finished. */
function dripping(part: Buffer, response: ServerResponse): void {
  let at = 0;
  const timer = setInterval(() => {
    if (response.destroyed) return clearInterval(timer);
    response.write(part.subarray(at, (at += 100)));
  }, 100);
}

/** First half of the sixteen pieces. */
const FIRST_HALF = Buffer.from([0xff, 0]).toString('base64url');

describe('hosts with bad peers', () => {
  it('L05 take no byte of a peer that has another version of the file', async () => {
    const other = bytesOf(19 * MIB, 'another version');
    const peer = kept(await oddPeer(answerWith(other, 'all', 'other', atOnce)));
    const origin = kept(await slowOrigin(bytes, 100 * MIB));
    const one = kept(await swarmHost());
    const obtained = await one.fetch({ bytes, dag, origin: origin.url, peers: [peer.url] });
    expect(obtained.digests.sha256).toBe(sha256);
    expect(obtained.sources.find(({ layer }) => layer === 'peer')).toMatchObject({ bytes: 0 });
  });

  it('L06 leave a peer that gives far less than the others, and say so, though only it has a piece', async () => {
    const good = kept(await oddPeer(answerWith(bytes, FIRST_HALF, 'good', atOnce)));
    const drip = kept(await oddPeer(answerWith(bytes, 'all', 'drip', dripping)));
    const slow = new Set<string>();
    // The tracker leases what only hosts have that others complain about.
    const leases: PieceLeases = {
      state: 'known',
      getsNone: false,
      isFar: () => false,
      isAlone: false,
      mayAsk: () => slow.size > 0,
      mayTake: () => true,
    };
    const origin = kept(await slowOrigin(bytes, 100 * MIB));
    const one = kept(await swarmHost());
    const obtained = await one.fetch({
      ...{ bytes, dag, origin: origin.url, peers: [good.url, drip.url], leases, haste: 5 },
      onSlow: (url) => void slow.add(url),
    });
    expect(obtained.digests.sha256).toBe(sha256);
    expect([...slow]).toEqual([drip.url]);
    expect(origin.sent()).toBeLessThanOrEqual(bytes.length / 2 + 256 * KIB);
  });

  it('L06 N6 finish when the two halves of their network do not reach each other for a while', async () => {
    const origin = kept(await slowOrigin(bytes, 4 * MIB));
    const hosts = await Promise.all(Array.from({ length: 4 }, async () => kept(await swarmHost())));
    const gates = await Promise.all(hosts.map(async ({ url }) => kept(await gateTo(url))));
    const isSameHalf = (one: number, other: number): boolean => one % 2 === other % 2;
    const peersOf = (one: number): string[] =>
      hosts.flatMap(({ url }, other) => (other === one ? [] : [isSameHalf(one, other) ? url : gates[other]!.url]));
    const all = Promise.all(
      hosts.map((one, index) => one.fetch({ bytes, dag, origin: origin.url, peers: peersOf(index), haste: 2 })),
    );
    await until(() => origin.sent() > 0.3 * bytes.length, { what: 'a third of the file is on its way' });
    for (const gate of gates) gate.cut();
    await until(() => origin.sent() > 0.8 * bytes.length, { what: 'both halves go on by themselves' });
    for (const gate of gates) gate.mend();
    expect((await all).map(({ digests }) => digests.sha256)).toEqual(hosts.map(() => sha256));
    // Each half may have to fetch what the other one has.
    expect(origin.sent() / bytes.length).toBeLessThan(2.1);
  });
});
