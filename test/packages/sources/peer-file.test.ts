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
