import { describe, expect, it } from '@jest/globals';
import type { AnsweredFile, SwarmLease } from '#contracts/swarm';
import { PieceMap } from '#core/swarm/piece-map';
import { MIB } from '#core/units';
import type { HeldFile } from '#transfer/report/transfer-options';
import { TrackedFile, type TrackedFileOptions } from '../../../../apps/worker/swarm/tracked-file.ts';
import { dagOf } from '../../../helpers/swarm-kit.ts';
import { bytesOf } from '../../../helpers/transfer-kit.ts';

const bytes = bytesOf(8 * MIB, 'tracked');
const { cid, table } = dagOf(bytes);

function tracked(more: Partial<TrackedFileOptions> = {}) {
  const urls: string[] = [];
  let now = 0;
  const options = { cid, named: cid, sizeBytes: bytes.length, now: () => now, onNews: () => undefined, ...more };
  const file = new TrackedFile({ ...options, onAnswer: (given) => void urls.splice(0, Infinity, ...given) });
  const answer = (part: Partial<AnsweredFile>): void =>
    file.answered({ cid, leases: [], peers: [], leave: [], wait: null, ...part }, 'near', file.announced());
  return { file, urls, answer, pass: (ms: number) => void (now += ms) };
}

const heldFile = (more: Partial<HeldFile> = {}): HeldFile => ({
  ...{ path: '/none', table, isDone: () => false, bytesFrom: () => 0, isRefused: () => false },
  ...{ originPauseMs: () => 0, originBytes: () => 0, diskWaitMs: () => 0, onMore: () => () => undefined },
  begunBytes: () => 0,
  ...more,
});

const lease = (piece: number, from: SwarmLease['from']): SwarmLease => ({
  ...{ id: `${from}-${piece}`, piece, from, endsInMs: 10_000 },
});

const peer = (host: string, site: string, pieces: readonly number[] = []) => {
  const map = new PieceMap(bytes.length);
  for (const piece of pieces) map.add(piece);
  return { host, site, urls: [`http://${host}:7430`], have: map.toString() };
};

describe('one file at the tracker', () => {
  it('L12 tells what has arrived of a leased piece, also of a leaf that is not complete', () => {
    const { file, answer } = tracked();
    const done = new Set<number>();
    let begun = 0;
    file.begin(
      heldFile({
        isDone: (leaf) => done.has(leaf),
        begunBytes: ({ start, end }) => (start === 3 * MIB && end === 4 * MIB ? begun : 0),
      }),
    );
    answer({ leases: [lease(3, 'origin')] });
    const told = () => file.announced().leases;
    expect(told()).toEqual([expect.objectContaining({ piece: 3, status: 'held', bytes: 0 })]);
    begun = 1000;
    expect(told()).toEqual([expect.objectContaining({ bytes: 1000 })]);
    done.add(12);
    expect(told()).toEqual([expect.objectContaining({ bytes: table.starts[1]! + 1000 })]);
    begun = 5 * MIB;
    expect(told()).toEqual([expect.objectContaining({ bytes: MIB })]);
  });

  it('L14 is led on while others cannot fetch from it, and says that it is given nothing', () => {
    const { file, answer } = tracked();
    answer({ wait: 'hidden' });
    expect([file.state, file.getsNone]).toEqual(['known', true]);
    answer({});
    expect([file.state, file.getsNone]).toEqual(['known', false]);
  });

  it('N6 takes a piece of another site by a lease alone, from the host that the tracker names for it', () => {
    const { file, answer, urls } = tracked();
    const near = Array.from({ length: 32 }, (_, index) => peer(`near-${index}`, 'near'));
    answer({ peers: near });
    answer({ peers: [peer('far-1', 'far', [2]), peer('far-2', 'far')], leases: [lease(2, 'site')] });
    expect(urls).toContain('http://far-1:7430');
    expect(urls).not.toContain('http://far-2:7430');
    expect([1, 2].map((piece) => file.mayTake('http://far-1:7430', piece))).toEqual([false, true]);
    expect([file.isFar('http://far-1:7430'), file.isFar('http://near-3:7430')]).toEqual([true, false]);
    expect(file.mayTake('http://near-3:7430', 1)).toBe(true);
  });

  it('N6 keeps the hosts that it knows when an answer names others', () => {
    const { answer, urls, pass } = tracked();
    answer({ peers: [peer('a', 'near')] });
    pass(2000);
    answer({ peers: [peer('b', 'near')] });
    expect(urls).toEqual(['http://a:7430', 'http://b:7430']);
  });

  it('L16 tells how long all of its sources are paused, also before it is laid out, and once more with its end', () => {
    let pauseMs = 0;
    const left: boolean[] = [];
    const originPauseMs: TrackedFileOptions['originPauseMs'] = (isLeft) => {
      left.push(isLeft('hub'));
      return pauseMs;
    };
    const { file, pass } = tracked({ originPauseMs });
    expect(file.announced()).not.toHaveProperty('originPauseMs');
    pauseMs = 30_000;
    expect(file.announced()).toMatchObject({ originPauseMs: 30_000 });
    file.begin(heldFile({ bytesFrom: () => undefined }));
    file.announced();
    expect(left).toEqual([false, false, true]);
    file.end(false);
    [pauseMs] = [0, pass(1000)];
    expect(file.announced()).toMatchObject({ state: 'gone', originPauseMs: 29_000 });
    const { file: whole } = tracked({ originPauseMs: () => 30_000 });
    whole.end(true);
    expect(whole.announced()).not.toHaveProperty('originPauseMs');
  });

  it('N8 tells how long ago the transfer began and ended, and nothing of a file that the host had', () => {
    const { file, pass } = tracked();
    pass(1000);
    expect(file.announced().transfer).toEqual({ beganMs: 1000 });
    file.begin(heldFile());
    pass(2000);
    file.end(true);
    pass(500);
    expect(file.announced()).toMatchObject({ state: 'seeding', transfer: { beganMs: 3500, endedMs: 500 } });
    const { file: seed } = tracked();
    seed.end(true);
    expect(seed.announced()).not.toHaveProperty('transfer');
  });

  it('L14 leaves hosts that sent it wrong bytes, and those that the tracker says are to be left', () => {
    const { file, answer, urls } = tracked();
    const peers = ['a', 'b', 'c'].map((name) => peer(name, 'near'));
    answer({ peers });
    file.fault('http://a:7430', 0, 'wrong-bytes');
    file.fault('http://b:7430', 0, 'absent');
    answer({ peers: peers.slice(1, 2), leave: ['c'] });
    expect(urls).toEqual(['http://b:7430']);
  });
});
