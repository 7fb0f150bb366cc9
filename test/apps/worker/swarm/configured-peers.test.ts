import { describe, expect, it } from '@jest/globals';
import { SourceError } from '#core/failure';
import { silentLogger } from '#core/logger';
import { adviseOnPeers } from '../../../../apps/worker/swarm/configured-peers.ts';

function advised(...peers: string[]) {
  const told: [string, string, string][] = [];
  const logger = {
    ...silentLogger,
    warn: ({ peer, reason }: { peer: string; reason: string }, message: string) =>
      void told.push([peer, reason, message]),
  };
  return { told, advise: adviseOnPeers(peers, logger as typeof silentLogger) };
}

describe('hosts of HAULIER_PEERS that give nothing', () => {
  it.each([
    ['forbidden', 'answered 401', 'HAULIER_SITE_KEY'],
    ['bad-response', 'answered 200', 'is no worker'],
    ['unreachable', 'connection refused', 'does not answer'],
    ['timed-out', 'no answer in 3 s', 'does not answer'],
  ] as const)('N6 are named once with what to change: %s', (kind, reason, advice) => {
    const { told, advise } = advised('http://10.0.0.7:7430/', 'http://10.0.0.8:7430');
    const error = new SourceError(kind, 'peer 10.0.0.7:7430', reason);
    for (let time = 0; time < 3; time += 1) advise('http://10.0.0.7:7430', error);
    expect(told).toEqual([['http://10.0.0.7:7430', reason, expect.stringContaining(advice)]]);
    advise('http://10.0.0.8:7430', error);
    expect(told.map(([peer]) => peer)).toEqual(['http://10.0.0.7:7430', 'http://10.0.0.8:7430']);
  });

  it('N6 are not named for what is in order, and other hosts are not named at all', () => {
    const { told, advise } = advised('http://10.0.0.7:7430');
    for (const kind of ['throttled', 'missing', 'aborted', 'server-error'] as const)
      advise('http://10.0.0.7:7430', new SourceError(kind, 'peer 10.0.0.7:7430', 'as it is'));
    advise('http://10.0.0.7:7430', new Error('of this program'));
    advise('http://10.0.0.9:7430', new SourceError('forbidden', 'peer 10.0.0.9:7430', 'answered 401'));
    expect(told).toEqual([]);
  });
});
