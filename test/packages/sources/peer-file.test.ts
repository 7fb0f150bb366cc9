import type { ServerResponse } from 'node:http';
import { afterAll, describe, expect, it } from '@jest/globals';
import { parseAddressPolicy } from '#http/address/address-policy';
import { MIB } from '#core/units';
import { createHttp } from '#http/pool';
import { PeerFile } from '#sources/peer/peer-file';
import { oddPeer } from '../../helpers/swarm-kit.ts';

const stops: (() => Promise<void> | void)[] = [];
afterAll(async () => {
  for (const stop of stops) await stop();
});

/** Sixteen pieces, of which the first eight are there. */
const SAYS = { 'swarm-have': '_wA', 'swarm-size': String(16 * MIB), 'swarm-peer': 'odd' };
const LINES = '_wA 0\n'.repeat(10_000);

/** Lines as fast as they are taken. */
function endless(response: ServerResponse): void {
  response.writeHead(200, SAYS);
  const more = (): void => {
    while (!response.destroyed && response.write(LINES));
  };
  response.on('drain', more);
  more();
}

describe('the pieces of a peer that is followed', () => {
  it('L05 are not read without end: the answer is given up, and the peer holds nothing', async () => {
    const peer = await oddPeer((_request, response) => endless(response));
    const http = createHttp({ addressPolicy: parseAddressPolicy(['127.0.0.0/8']) });
    stops.push(peer.close, () => http.close());
    const file = new PeerFile({ http, url: peer.url, cid: 'bafy' }, () => performance.now());
    const following = file.follow(new AbortController().signal, () => undefined);
    await expect(following).rejects.toMatchObject({ kind: 'bad-response' });
    expect(file.map).toBeUndefined();
  });
});

describe('a server that is asked for the pieces of a file', () => {
  it.each([
    ['a worker that does not have the file', 404, { 'swarm-peer': 'other' }, undefined],
    ['a server that is no worker, and has nothing there', 404, {}, 'bad-response'],
    ['a server that is no worker, and answers anything', 200, {}, 'bad-response'],
    ['a worker with another key', 401, {}, 'forbidden'],
  ] as const)('N6 is told apart: %s', async (_what, status, headers, kind) => {
    const peer = await oddPeer((_request, response) => response.writeHead(status, headers).end());
    const http = createHttp({ addressPolicy: parseAddressPolicy(['127.0.0.0/8']) });
    stops.push(peer.close, () => http.close());
    const refused: unknown[] = [];
    const onRefused = (error: unknown): void => void refused.push(error);
    const file = new PeerFile({ http, url: peer.url, cid: 'bafy', onRefused }, () => performance.now());
    const asked = await file.ask(new AbortController().signal).catch((error: unknown) => error);
    if (kind === undefined) expect([asked, refused]).toEqual([undefined, []]);
    else expect([asked, refused]).toMatchObject([{ kind }, [{ kind }]]);
    expect(file.map).toBeUndefined();
  });
});
