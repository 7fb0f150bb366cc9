import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { MIB, MINUTE_MS } from '#core/units';
import { readSwarm } from '#queue/swarm/read-swarm';
import { type TestRedis, testRedis } from '../../../helpers/redis.ts';
import { until } from '../../../helpers/until.ts';
import { AnnouncingHost, fileOf } from './swarm-kit.ts';

describe('the swarm of a file in Redis', () => {
  let test: TestRedis;
  const FILE = fileOf(8);
  const hostOf = (name: string, site = ''): AnnouncingHost =>
    Object.assign(new AnnouncingHost(test, name, FILE), { site });
  const held = async () => readSwarm(test.redis, test.settings.prefix, FILE.cid);

  beforeEach(() => {
    test = testRedis();
  });
  afterEach(() => test.cleanup());

  it('L11 gives a repeated announce the same leases', async () => {
    const host = hostOf('a');
    const first = await host.announce();
    expect(first.leases).toHaveLength(2);
    const again = await host.announce();
    expect(again.leases.map(({ id }) => id)).toEqual(first.leases.map(({ id }) => id));
    const reports = host.reports('done');
    for (const { piece } of host.leases) host.map.add(piece);
    const [done, repeated] = [await host.announce({ reports }), await host.announce({ reports })];
    expect(repeated.leases.map(({ id }) => id)).toEqual(done.leases.map(({ id }) => id));
    expect((await held())!.origin.bytes).toBe(2 * MIB);
  });

  it('L11 never leases a piece of the origin to two of 20 hosts at once, and once in all', async () => {
    // No lease ends by its deadline, however slow the machine is.
    const hosts = Array.from({ length: 20 }, (_, n) => Object.assign(hostOf(`host-${n}`), { leaseMs: 10 * MINUTE_MS }));
    const given = new Map<number, number>();
    await until(
      async () => {
        await Promise.all(hosts.map((host) => host.announce({ reports: host.reports('done') })));
        const leases = hosts.flatMap((host) => host.leases);
        expect(new Set(leases.map(({ piece }) => piece)).size).toBe(leases.length);
        for (const { piece } of leases) given.set(piece, (given.get(piece) ?? 0) + 1);
        for (const host of hosts) for (const { piece } of host.leases) host.map.add(piece);
        return given.size === 8 && leases.length === 0;
      },
      { what: 'every piece was leased and is there' },
    );
    expect([...given.values()]).toEqual(Array(8).fill(1));
    expect((await held())!.origin.bytes).toBe(FILE.sizeBytes);
  });

  it('L11 leases a piece to one of two hosts that are about to get it at the same moment', async () => {
    const [a, b] = ['a', 'b'].map((name) => new AnnouncingHost(test, name, fileOf(1)));
    // Both are told that it is free before either of them takes it.
    await Promise.all([a!.announce(), b!.announce()]);
    expect([...a!.leases, ...b!.leases]).toHaveLength(1);
  });

  it('L11 leases no piece of another site to a host when another one of its site has just got it', async () => {
    const [far, here, beside] = ['far', 'here', 'beside'].map((name) =>
      Object.assign(new AnnouncingHost(test, name, fileOf(1)), { site: name === 'far' ? 'eu' : 'us' }),
    );
    far!.map.add(0);
    await far!.announce();
    beside!.map.add(0);
    // It is told that no host of its site has the piece, before the other one says that it has it.
    const [answer] = await Promise.all([here!.announce(), beside!.announce()]);
    expect([answer!.counts.siteHolders, here!.leases]).toEqual([[0], []]);
  });

  it('L11 fetches one copy into each site', async () => {
    const [here, there, beside] = [hostOf('a', 'eu'), hostOf('b', 'us'), hostOf('c', 'us')];
    await here.announce();
    await here.finish();
    const pieces = [0, 1, 2, 3, 4, 5, 6, 7].filter((piece) => here.map.has(piece));
    expect(pieces.length).toBeGreaterThan(0);
    there.want = beside.want = 8;
    const [one, other] = [await there.announce(), await beside.announce()];
    const wanted = (leases: typeof one.leases) =>
      leases.filter(({ from }) => from === 'site').map(({ piece }) => piece);
    expect(wanted(one.leases).sort()).toEqual(pieces);
    expect(wanted(other.leases)).toEqual([]);
    await there.finish();
    expect((await held())!.sites.get('us')?.bytes).toBeGreaterThanOrEqual(pieces.length * MIB);
    const { siteHolders } = (await beside.announce()).counts;
    expect(pieces.map((piece) => siteHolders[piece])).toEqual(pieces.map(() => 1));
  });

  it('names other hosts with what they have, and no host twice', async () => {
    const hosts = Array.from({ length: 30 }, (_, n) => hostOf(`host-${n}`, n % 2 === 0 ? 'eu' : 'us'));
    hosts[2]!.map.add(3);
    for (const host of hosts) await host.announce();
    const { peers } = await hosts[0]!.announce();
    expect(new Set(peers.map(({ host }) => host)).size).toBe(peers.length);
    expect(peers.map(({ host }) => host)).not.toContain('host-0');
    expect(peers.filter(({ site }) => site === 'eu')).toHaveLength(14);
    expect(peers.find(({ host }) => host === 'host-2')!.map.has(3)).toBe(true);
    expect(peers[0]!.urls).toEqual(['http://10.0.0.1:7430']);
  });

  it('counts pieces as hosts come, change and go, and forgets a swarm without hosts', async () => {
    const [a, b] = [hostOf('a'), hostOf('b')];
    for (const piece of [0, 1, 2]) a.map.add(piece);
    b.map.add(2);
    await a.announce();
    expect((await b.announce()).counts.holders).toEqual([1, 1, 2, 0, 0, 0, 0, 0]);
    await a.leave();
    expect((await b.announce()).counts.holders).toEqual([0, 0, 1, 0, 0, 0, 0, 0]);
    await b.leave();
    expect(await held()).toBeUndefined();
  });

  it('moves a host whose site changed, and knows still that it fetched the file', async () => {
    const [a, b] = [hostOf('a', 'eu'), hostOf('b', 'us')];
    a.map.add(0);
    await a.announce();
    a.site = 'us';
    await a.announce();
    expect((await b.announce()).counts).toMatchObject({ siteHolders: [1, 0, 0, 0, 0, 0, 0, 0] });
    a.site = 'jp';
    for (let piece = 0; piece < 8; piece += 1) a.map.add(piece);
    await a.announce();
    const { record } = (await held())!.hosts.find(({ host }) => host === 'a')!;
    expect(record).toMatchObject({ site: 'jp', state: 'seeding', leeched: true, done: expect.any(Number) });
  });

  it('L15 keeps hosts apart that say another length of the file', async () => {
    const liar = new AnnouncingHost(test, 'liar', { ...FILE, sizeBytes: 2 * MIB });
    for (const piece of [0, 1]) liar.map.add(piece);
    await liar.announce();
    const host = hostOf('a');
    expect(await host.announce()).toMatchObject({ peers: [], counts: { holders: [0, 0, 0, 0, 0, 0, 0, 0] } });
    await hostOf('b').announce();
    expect((await held())!.sizeBytes).toBe(FILE.sizeBytes);
  });
});
