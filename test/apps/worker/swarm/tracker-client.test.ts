import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { ApiError, UnreachableError } from '#client/api-error';
import { PieceMap } from '#core/swarm/piece-map';
import { MIB } from '#core/units';
import { answerOf, bytes, cid, lease, pass, peerAt, TellingHost } from './tracker-kit.ts';

describe('what a host tells a tracker', () => {
  let host: TellingHost;

  beforeEach(() => {
    jest.useFakeTimers();
    host = new TellingHost();
  });
  afterEach(async () => {
    await host.tracker.stop();
    jest.useRealTimers();
  });

  it('N6 says at once what it fetches, and asks the origin for leased pieces alone', async () => {
    host.answer = () => answerOf({ leases: [lease(3)] });
    const file = host.track();
    expect([file.state, file.mayAsk(3)]).toEqual(['asking', false]);
    await pass(100);
    expect(host.announced[0]).toMatchObject({ host: 'host-a', boot: 'boot-1', urls: ['http://10.0.0.1:7430'] });
    expect(host.announced[0]!.files[0]).toMatchObject({ cid, sizeBytes: bytes.length, state: 'leeching', want: 4 });
    expect(file.state).toBe('known');
    expect([2, 3, 4].map(file.mayAsk)).toEqual([false, true, false]);
  });

  it('N6 asks for leases as soon as the file is laid out', async () => {
    const file = host.tracker.track({ cid, named: cid, sizeBytes: bytes.length, onAnswer: () => undefined });
    await pass(100);
    expect(host.announced[0]!.files[0]).toMatchObject({ state: 'leeching', want: 0 });
    file.begin(host.held);
    await pass(300);
    expect(host.announced[1]!.files[0]).toMatchObject({ want: 4 });
  });

  it('tells what it took from the origin, and that it waits for its disk while it does so for more than half of the time', async () => {
    host.track();
    await pass(2100);
    expect(host.announced.at(-1)).toMatchObject({ diskBound: false, files: [{ originBytes: 0 }] });
    [host.originBytes, host.diskWaitMs] = [5 * MIB, 3000];
    await pass(2000);
    expect(host.announced.at(-1)).toMatchObject({ diskBound: true, files: [{ originBytes: 5 * MIB }] });
    await pass(20_000);
    expect(host.announced.at(-1)).toMatchObject({ diskBound: false });
  });

  it('EX2 passes the part of the host in the limit of its site on, and takes it back', async () => {
    host.answer = () => answerOf({}, { limits: { outsideBytesPerSecond: 5000 } });
    host.track();
    await pass(100);
    expect(host.limits).toEqual([5000]);
    host.answer = () => answerOf({}, { limits: { outsideBytesPerSecond: null } });
    await pass(2000);
    expect(host.limits).toEqual([5000, undefined]);
  });

  it('EX2 announces while it fetches files that others do not learn of, and no longer', async () => {
    host.answer = () => ({ ...answerOf({}), files: [] });
    const { end } = host.tracker.fetches();
    await pass(100);
    expect(host.announced).toEqual([expect.objectContaining({ isFetching: true, files: [] })]);
    await pass(2000);
    expect(host.announced).toHaveLength(2);
    end();
    await pass(10_000);
    expect(host.announced).toHaveLength(2);
  });

  it('N6 tells of a piece that is here at once, and of the others every two seconds', async () => {
    host.answer = () => answerOf({ leases: [lease(3)] });
    host.track();
    await pass(1900);
    expect(host.announced).toHaveLength(1);
    host.complete(3);
    host.answer = () => answerOf({ leases: [lease(5)] });
    await pass(300);
    expect(host.announced).toHaveLength(2);
    expect(host.announced[1]!.files[0]).toMatchObject({ leases: [{ id: 'origin-3', status: 'done' }] });
    expect(PieceMap.parse(host.announced[1]!.files[0]!.have, bytes.length)!.has(3)).toBe(true);
    await pass(2000);
    expect(host.announced[2]!.files[0]).toMatchObject({ leases: [{ id: 'origin-5', status: 'held', bytes: 0 }] });
  });

  it('N6 gives a lease back while the origin wants no request, and says for how long', async () => {
    host.answer = () => answerOf({ leases: [lease(3)] });
    host.track();
    await pass(100);
    host.originPauseMs = 30_000;
    await pass(2000);
    expect(host.announced[1]!.files[0]!.leases).toEqual([
      expect.objectContaining({ status: 'failed', retryAfterMs: 30_000 }),
    ]);
    host.originPauseMs = undefined;
    await pass(2000);
    expect(host.announced[2]!.files[0]).toMatchObject({ leases: [{ status: 'failed' }], want: 0 });
  });

  it('N6 passes the addresses of other hosts on, and takes pieces of other sites by lease alone', async () => {
    host.answer = () => answerOf({ peers: [peerAt('near'), peerAt('far', 'us-1')], leases: [lease(2, 'site')] });
    const seen: (readonly string[])[] = [];
    const file = host.track((urls) => seen.push(urls));
    await pass(100);
    expect(seen).toEqual([['http://near:7430', 'http://far:7430']]);
    const may = [1, 2].map((piece) => [
      file.mayTake('http://near:7430', piece),
      file.mayTake('http://far:7430', piece),
    ]);
    expect(may).toEqual([
      [true, false],
      [true, true],
    ]);
  });

  it('L05 L06 tells once of a host that sent wrong bytes, or does not answer', async () => {
    const file = host.track();
    await pass(100);
    file.fault('http://host-b:7430', 4, 'wrong-bytes');
    file.fault('http://host-b:7430', 4, 'wrong-bytes');
    file.fault('http://unknown:7430', 4, 'wrong-bytes');
    await pass(2000);
    expect(host.announced[1]!.files[0]!.blame).toEqual([{ host: 'host-b', piece: 4, reason: 'wrong-bytes' }]);
    await pass(2000);
    expect(host.announced[2]!.files[0]!.blame).toEqual([]);
  });

  it('L28 N6 lets the hosts divide the file by themselves while the tracker does not answer', async () => {
    const file = host.track();
    await pass(100);
    host.answer = () => {
      throw new UnreachableError('http://api', 'refused');
    };
    await pass(4000);
    expect(file.state).toBe('known');
    await pass(4000);
    expect(file.state).toBe('away');
    host.answer = () => answerOf({});
    await pass(30_000);
    expect(file.state).toBe('known');
  });

  it('L28 knows the hosts of its site from other files, while the tracker says nothing of a new one', async () => {
    host.answer = () => answerOf({ peers: [peerAt('near'), peerAt('far', 'us-1')] });
    const first = host.track();
    await pass(100);
    first.end(true);
    host.answer = () => {
      throw new UnreachableError('http://api', 'refused');
    };
    const next = host.tracker.track({ cid: 'bafynext', named: 'bafynext', sizeBytes: 1, onAnswer: () => undefined });
    await pass(2000);
    expect([next.isAnswered, next.state, host.tracker.nearUrls]).toEqual([false, 'away', ['http://near:7430']]);
    next.end(false);
  });

  it('N6 does not wait at an API that has no tracker', async () => {
    host.answer = () => {
      throw new ApiError(404, undefined, 'no such route');
    };
    const file = host.track();
    const first = file.first();
    await pass(200);
    await first;
    expect(file.state).toBe('away');
    const later = host.track();
    await later.first();
    expect(later.state).toBe('away');
    await pass(60_000);
    expect(host.announced).toHaveLength(1);
  });

  it.each(['quarantined', 'foreign'] as const)('N6 goes on without leases when it is %s', async (wait) => {
    host.answer = () => answerOf({ wait });
    const file = host.track();
    await pass(100);
    expect(file.state).toBe('away');
  });

  it('N6 asks the origin for everything while it is alone, and looks often whether another host has come', async () => {
    host.answer = () => answerOf({ peers: [] });
    const file = host.track();
    await pass(100);
    expect([file.isAlone, file.mayAsk(7)]).toEqual([false, false]);
    await pass(400);
    expect([file.isAlone, file.mayAsk(7), host.announced.length]).toEqual([true, true, 2]);
    host.answer = () => answerOf({ leases: [lease(1)] });
    await pass(1100);
    expect([file.isAlone, file.mayAsk(7), file.mayAsk(1)]).toEqual([false, false, true]);
  });

  it('N6 goes on to give a file that it has, and ends with what it does not have', async () => {
    const file = host.track();
    await pass(100);
    file.end(true);
    host.answer = () => answerOf({}, { intervalMs: 30_000 });
    await pass(300);
    expect(host.announced.at(-1)!.files[0]).toMatchObject({ state: 'seeding', have: 'all', want: 0 });
    file.end(false);
    await pass(300);
    expect(host.announced.at(-1)!.files[0]).toMatchObject({ state: 'gone' });
    const before = host.announced.length;
    await pass(60_000);
    expect(host.announced).toHaveLength(before);
  });

  it('L08 shows its token until that ends', async () => {
    host.answer = () => answerOf({}, { intervalMs: 120_000 });
    host.track();
    await pass(100);
    expect(host.tracker.token).toBe('token');
    await pass(61_000);
    expect(host.tracker.token).toBeUndefined();
  });
});
