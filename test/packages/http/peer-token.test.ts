import { describe, expect, it } from '@jest/globals';
import { makePeerTokenKey, PEER_TOKEN_MS, publicHalfOf, readPeerToken, signPeerToken } from '#http/peer-token';

const NOW = 1_800_000_000_000;
const CLAIMS = { host: 'gpu-1', cids: ['bafybeia'], untilMs: NOW + PEER_TOKEN_MS };
const key = makePeerTokenKey();
const publicKey = publicHalfOf(key);

describe('a token of a peer', () => {
  it('L17 says which host may fetch which files, until it ends', () => {
    const token = signPeerToken(key, CLAIMS);
    expect(readPeerToken(publicKey, token, NOW)).toEqual(CLAIMS);
    expect(readPeerToken(publicKey, token, NOW - 30_000)).toEqual(CLAIMS);
    expect(readPeerToken(publicKey, token, CLAIMS.untilMs)).toBeUndefined();
  });

  it('L17 of another key, changed, cut or endless is refused', () => {
    const token = signPeerToken(key, CLAIMS);
    const [text = '', signature = ''] = token.split('.');
    const changed = Buffer.from(JSON.stringify({ ...CLAIMS, host: 'gpu-2' })).toString('base64url');
    const endless = signPeerToken(key, { ...CLAIMS, untilMs: NOW + 2 * PEER_TOKEN_MS });
    for (const bad of [`${changed}.${signature}`, text, `${text}.`, token.slice(0, -1), `${token}A`, '', endless])
      expect([bad, readPeerToken(publicKey, bad, NOW)]).toEqual([bad, undefined]);
    expect(readPeerToken(publicHalfOf(makePeerTokenKey()), token, NOW)).toBeUndefined();
  });

  it('has a public key of 32 bytes', () => {
    expect(Buffer.from(publicKey, 'base64url')).toHaveLength(32);
  });
});
