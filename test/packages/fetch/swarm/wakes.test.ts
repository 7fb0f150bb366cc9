import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { Source } from '#core/source';
import { HostShare } from '#fetch/swarm/host-share';
import { PeerBook } from '#fetch/swarm/peer-book';
import type { PeerFile } from '#sources/peer/peer-file';
import { until } from '../../../helpers/until.ts';

const shares: HostShare[] = [];
afterEach(() => {
  for (const share of shares.splice(0)) share.stop();
});

/** Peers that are followed, and tell something new when the test says so. */
function toldPeers(count: number) {
  const tells: (() => void)[] = [];
  const follow = (signal: AbortSignal, onMore: () => void): Promise<void> => {
    tells.push(onMore);
    return pause(60_000, undefined, { signal });
  };
  const book = new PeerBook();
  book.set(
    'test',
    Array.from({ length: count }, (_, index) => `http://10.0.0.${index + 1}:7000`),
  );
  const peerAt = (url: string) => {
    const map = { isComplete: false };
    const file = { url, name: `peer ${url}`, map, ask: async () => undefined, follow, lost: () => undefined };
    return { file: file as unknown as PeerFile, source: { name: url } as Source };
  };
  let wakes = 0;
  const faults: unknown[][] = [];
  const share = new HostShare({ book, peerAt, peerId: 'me', onFault: (...fault) => void faults.push(fault) });
  shares.push(share);
  share.listen(() => (wakes += 1));
  share.start();
  return { tells, share, faults, wakes: () => wakes };
}

describe('a transfer that divides a file with other hosts', () => {
  it('L05 blames the host that sent the wrong bytes alone, and none for those of a server', () => {
    const { share, faults } = toldPeers(3);
    share.refused('peer http://10.0.0.2:7000', 0);
    share.refused('hub.example', 0);
    expect(faults).toEqual([['http://10.0.0.2:7000', 0, 'wrong-bytes']]);
  });

  it('is woken at once, and once more for all that they tell soon after', async () => {
    const { tells, wakes } = toldPeers(3);
    await until(() => tells.length === 3, { what: 'each peer is followed' });
    for (const tell of [...tells, ...tells]) tell();
    expect(wakes()).toBe(1);
    await until(() => wakes() === 2, { what: 'the second wake' });
    await pause(100);
    expect(wakes()).toBe(2);
    tells[0]!();
    expect(wakes()).toBe(3);
  });

  it('is not woken after its end', async () => {
    const { tells, share, wakes } = toldPeers(1);
    await until(() => tells.length === 1, { what: 'each peer is followed' });
    tells[0]!();
    tells[0]!();
    share.stop();
    await pause(100);
    expect(wakes()).toBe(1);
  });
});
