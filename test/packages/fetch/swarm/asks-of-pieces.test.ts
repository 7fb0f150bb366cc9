import { expect, it } from '@jest/globals';
import { MIB } from '#core/units';
import { HostShare, type PieceLeases } from '#fetch/swarm/host-share';
import { PeerBook } from '#fetch/swarm/peer-book';
import type { HeldFile } from '#transfer/report/transfer-options';
import { dagOf } from '../../../helpers/swarm-kit.ts';
import { bytesOf } from '../../../helpers/transfer-kit.ts';

/** A share of a file of eight pieces with four leaves each, which a tracker leads. */
async function ledShare() {
  const { table } = dagOf(bytesOf(8 * MIB, 'asks'));
  const asked: number[] = [];
  const leased = new Set<number>();
  const leases: PieceLeases = {
    ...{ state: 'known', getsNone: false, isAlone: false, isFar: () => false, mayTake: () => true },
    mayAsk: (piece) => {
      asked.push(piece);
      return leased.has(piece);
    },
  };
  const peerAt = (): never => {
    throw new Error('there is no peer');
  };
  const share = new HostShare({ book: new PeerBook(), peerAt, peerId: 'host-a', leases });
  const held: HeldFile = {
    ...{ path: '/none', table, isDone: () => false, bytesFrom: () => 0, isRefused: () => false, begunBytes: () => 0 },
    ...{ originPauseMs: () => 0, originBytes: () => 0, diskWaitMs: () => 0, onMore: () => () => undefined },
  };
  share.start();
  share.begin(held);
  const mayAsk = (leaf: number): boolean => share.mayAsk({ start: table.starts[leaf]!, end: 0 }, leaf);
  const leaves = Array.from({ length: table.count }, (_, leaf) => leaf);
  await Promise.resolve();
  return { share, asked, leased, look: () => leaves.filter(mayAsk) };
}

it('N6 asks a tracker once for all leaves of a piece, and again as soon as it says something new', async () => {
  const { share, asked, leased, look } = await ledShare();
  expect(look()).toEqual([]);
  expect(asked).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  leased.add(2);
  share.wake();
  expect(look()).toEqual([8, 9, 10, 11]);
  leased.add(3);
  await Promise.resolve();
  expect(look()).toEqual([8, 9, 10, 11, 12, 13, 14, 15]);
  share.stop();
});
