import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { MINUTE_MS } from '#core/units';
import { isQuarantined, strike } from '#queue/swarm/quarantine';
import { readSwarm } from '#queue/swarm/read-swarm';
import { type TestRedis, testRedis } from '../../../helpers/redis.ts';
import { until } from '../../../helpers/until.ts';
import { AnnouncingHost, fileOf, makeOlder } from './swarm-kit.ts';

describe('leases that end without their piece, and hosts that lie', () => {
  let test: TestRedis;
  const hostOf = (name: string, pieces = 1): AnnouncingHost => new AnnouncingHost(test, name, fileOf(pieces));

  beforeEach(() => {
    test = testRedis();
  });
  afterEach(() => test.cleanup());

  const gets = (host: AnnouncingHost) => until(async () => (await host.announce()).leases[0], { what: 'a lease' });

  it('L12 gives a lease to another host at its deadline, by the clock of Redis', async () => {
    const [slow, other] = [hostOf('slow'), hostOf('other')];
    slow.leaseMs = MINUTE_MS;
    expect((await slow.announce()).leases).toHaveLength(1);
    expect((await other.announce()).leases).toEqual([]);
    await makeOlder(test, fileOf(1), MINUTE_MS);
    await gets(other);
    expect((await slow.announce({ reports: slow.reports('held', 5) })).leases).toEqual([]);
  });

  it('L12 gives the lease of a host that is not heard of, or that left, to another one', async () => {
    const [away, other] = [hostOf('away'), hostOf('other')];
    [away.goneMs, away.leaseMs] = [MINUTE_MS, 10 * MINUTE_MS];
    await away.announce();
    expect((await other.announce()).leases).toEqual([]);
    await makeOlder(test, fileOf(1), MINUTE_MS);
    await gets(other);
    await other.leave();
    expect((await hostOf('third').announce()).leases).toHaveLength(1);
  });

  it('L12 takes a lease back on which nothing arrives, and leaves one that grows', async () => {
    const host = hostOf('a', 8);
    await host.announce();
    const [stalled, growing] = host.leases;
    let bytes = 1;
    await until(
      async () => {
        const [first, second] = host
          .reports('held', bytes++)
          .filter(({ id }) => [stalled!.id, growing!.id].includes(id));
        const reports = [{ ...first!, bytes: 0 }, ...(second === undefined ? [] : [second])];
        const { leases } = await host.announce({ reports });
        return leases.every(({ id }) => id !== stalled!.id);
      },
      { what: 'the stalled lease has ended' },
    );
    expect(host.leases.map(({ id }) => id)).toContain(growing!.id);
  });

  it('L12 ends a lease when any host has the piece, or its holder gives it back', async () => {
    const [a, b] = [hostOf('a'), hostOf('b')];
    await a.announce();
    b.map.add(0);
    await b.announce();
    expect((await a.announce({ reports: a.reports('held', 1) })).leases).toEqual([]);
    const [c, d] = [hostOf('c', 2), hostOf('d', 2)];
    await c.announce();
    await d.announce();
    c.want = 0;
    await c.announce({ reports: c.reports('failed') });
    expect((await d.announce()).leases.length).toBeGreaterThan(0);
  });

  it('L11 ends no later lease of a piece when what was said of an earlier one is said again', async () => {
    const a = hostOf('a');
    await a.announce();
    const reports = a.reports('failed');
    const clockMs = async (): Promise<number> => {
      const [seconds, micros] = (await test.redis.time()).map(Number);
      return 1000 * seconds! + Math.floor(micros! / 1000);
    };
    /** The name of a lease has the millisecond in which it began. */
    const later = async (): Promise<void> => {
      const ms = await clockMs();
      await until(async () => (await clockMs()) > ms, { what: 'the next millisecond' });
    };
    const ids = async (): Promise<string[]> => (await a.announce({ reports })).leases.map(({ id }) => id);
    await later();
    const again = await ids();
    expect(again).not.toEqual(reports.map(({ id }) => id));
    await later();
    expect(await ids()).toEqual(again);
  });

  it('L12 ends the leases of a worker that started again', async () => {
    const [a, b] = [hostOf('a'), hostOf('b')];
    await a.announce();
    Object.assign(a, { boot: 'second', want: 0 });
    expect((await a.announce()).leases).toEqual([]);
    expect((await b.announce()).leases).toHaveLength(1);
  });

  it('L16 leaves an origin alone that wants it, for all hosts', async () => {
    const [a, b] = [hostOf('a', 4), hostOf('b', 4)];
    await a.announce();
    const known = () => readSwarm(test.redis, test.settings.prefix, fileOf(4).cid);
    const { nowMs, originPausedUntil } = (await known())!;
    expect(originPausedUntil).toBe(0);
    const reports = a.reports('failed').map((report) => ({ ...report, retryMs: MINUTE_MS }));
    expect((await a.announce({ reports })).leases).toEqual([]);
    expect(await b.announce()).toMatchObject({ isPaused: true, leases: [] });
    expect((await known())!.originPausedUntil).toBeGreaterThanOrEqual(nowMs + MINUTE_MS);
    await makeOlder(test, fileOf(4), MINUTE_MS);
    await gets(b);
  });

  it('L16 leaves an origin alone that wanted it before any lease, as long as the longest pause that a host tells', async () => {
    const [a, b, c] = [hostOf('a', 4), hostOf('b', 4), hostOf('c', 4)];
    const known = async () => (await readSwarm(test.redis, test.settings.prefix, fileOf(4).cid))!;
    expect(await a.announce({ originPauseMs: MINUTE_MS })).toMatchObject({ isPaused: true, leases: [] });
    const { nowMs, originPausedUntil } = await known();
    expect(originPausedUntil - nowMs).toBeGreaterThan(0);
    await b.announce({ originPauseMs: 1 });
    expect((await known()).originPausedUntil).toBe(originPausedUntil);
    // Its sources are paused for longer than it waits for them.
    await c.announce();
    await c.leave({ originPauseMs: 2 * MINUTE_MS });
    expect((await known()).originPausedUntil).toBeGreaterThan(originPausedUntil);
    await makeOlder(test, fileOf(4), 2 * MINUTE_MS);
    await gets(b);
  });

  it('L13 knows everything again after one round of announces when Redis lost it', async () => {
    const [a, b] = [hostOf('a', 8), hostOf('b', 8)];
    await a.announce();
    b.map.add(7);
    await b.announce();
    const before = a.leases.map(({ id }) => id).sort();
    const keys = await test.redis.keys(`${test.settings.prefix.slice(0, -1)}*`);
    await test.redis.del(...keys);
    await a.announce({ reports: a.reports('held', 10) });
    expect(a.leases.map(({ id }) => id).sort()).toEqual(before);
    const { counts, leases } = await b.announce({ reports: b.reports('held', 10) });
    expect(counts.holders[7]).toBe(1);
    expect(leases.filter(({ piece }) => a.leases.some((lease) => lease.piece === piece))).toEqual([]);
  });

  it('L14 hides a host that others cannot fetch from, and gives its pieces to others again', async () => {
    const [liar, a, b] = [hostOf('liar', 2), hostOf('a', 2), hostOf('b', 2)];
    for (const piece of [0, 1]) liar.map.add(piece);
    for (const host of [liar, a, b]) await host.announce();
    const once = await a.announce({ blame: ['liar'] });
    expect([once.leases, once.counts.holders]).toEqual([[], [1, 1]]);
    expect((await a.announce({ blame: ['liar'] })).counts.holders).toEqual([1, 1]);
    const twice = await b.announce({ blame: ['liar'] });
    expect(twice.counts.holders).toEqual([0, 0]);
    expect(twice.leases).toHaveLength(1);
    expect((await liar.announce()).isHidden).toBe(true);
    expect(await a.announce()).toMatchObject({ peers: [{ host: 'b' }], unseen: ['liar'] });
  });

  it('L14 believes the only other host of a swarm', async () => {
    const [liar, a] = [hostOf('liar'), hostOf('a')];
    liar.map.add(0);
    await liar.announce();
    await a.announce();
    expect((await a.announce({ blame: ['liar'] })).leases).toHaveLength(1);
  });

  it('L14 does not count the pieces of a host without an address', async () => {
    const [behind, a] = [hostOf('behind'), hostOf('a')];
    behind.urls = [];
    behind.map.add(0);
    await behind.announce();
    expect(await a.announce()).toMatchObject({ counts: { holders: [0] }, peers: [], leases: [{ piece: 0 }] });
  });

  it('L14 quarantines a host when two others got wrong bytes from it, and not for one of them alone', async () => {
    const { redis, settings } = test;
    const byReporter = async (reporter: string) => strike(redis, settings.prefix, 'Liar', reporter);
    expect([await byReporter('a'), await byReporter('a')]).toEqual([false, false]);
    expect(await isQuarantined(redis, settings.prefix, 'liar')).toBe(false);
    expect(await byReporter('b')).toBe(true);
    expect(await isQuarantined(redis, settings.prefix, 'liar')).toBe(true);
    expect([await byReporter('a'), await byReporter('b')]).toEqual([false, false]);
    const [key = ''] = await redis.keys(`*swarm-quarantine:liar`);
    const leftMs = await redis.pttl(key);
    expect(leftMs).toBeGreaterThan(9 * MINUTE_MS);
    expect(leftMs).toBeLessThanOrEqual(10 * MINUTE_MS);
  });
});
