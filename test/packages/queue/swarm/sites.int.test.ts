import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { MIB, MINUTE_MS } from '#core/units';
import { type TestRedis, testRedis } from '../../../helpers/redis.ts';
import { until } from '../../../helpers/until.ts';
import { AnnouncingHost, fileOf, makeOlder } from './swarm-kit.ts';

describe('hosts of one site, and of several', () => {
  let test: TestRedis;

  beforeEach(() => {
    test = testRedis();
  });
  afterEach(() => test.cleanup());

  const hostOf = (site: string, number: number, pieces = 8): AnnouncingHost => {
    const host = new AnnouncingHost(test, `${site}-${number}`, fileOf(pieces));
    host.site = site;
    return host;
  };
  const fromOf = ({ leases }: AnnouncingHost) => leases.map(({ from }) => from);

  it('L11 have equal parts of the leases on the origin, though hosts of one site come first', async () => {
    const north = [hostOf('north', 1), hostOf('north', 2)];
    const south = hostOf('south', 1);
    const all = [...north, south];
    for (const host of all) await host.announce();
    for (const host of all) host.want = 0;
    for (const host of all) await host.announce({ reports: host.reports('released') });
    for (const host of all) host.want = 2;
    for (const host of [...north, south, ...north]) await host.announce({ reports: host.reports('held', 1) });
    expect(north.flatMap(fromOf)).toEqual(['origin']);
    expect(fromOf(south)).toEqual(['origin']);
  });

  it('L11 take turns with the origin: a host that had fewer pieces comes first, where several wait', async () => {
    const hosts = [1, 2, 3, 4, 5, 6].map((number) => hostOf('north', number, 20));
    for (const host of hosts) host.want = 1;
    for (const host of hosts) await host.announce();
    expect(hosts.map(({ leases }) => leases.length)).toEqual([1, 1, 0, 0, 0, 0]);
    const [first, , third] = hosts;
    await first!.finish();
    expect(first!.leases).toEqual([]);
    await third!.announce();
    expect(third!.leases).toHaveLength(1);
    // Three wait now, and the host goes on.
    await first!.announce();
    expect(first!.leases).toEqual([]);
    await hosts[1]!.finish();
    expect(hosts[1]!.leases).toHaveLength(1);
  });

  it('L11 do not wait for hosts of another site that want pieces', async () => {
    const [north, ...south] = [
      hostOf('north', 1, 20),
      ...[1, 2, 3, 4, 5, 6].map((number) => hostOf('south', number, 20)),
    ];
    for (const host of [north!, ...south]) host.want = 1;
    await north!.announce();
    for (const host of south) await host.announce();
    await north!.finish();
    expect(fromOf(north!)).toEqual(['origin']);
  });

  it('L11 fetch from each other while many pieces are with no host yet', async () => {
    const [north, south] = [hostOf('north', 1, 100), hostOf('south', 1, 100)];
    await north.announce();
    north.want = 0;
    await north.finish();
    await south.announce();
    expect(fromOf(south).sort()).toEqual(['origin', 'site']);
  });

  it('N6 are told a host that has what they lease, however large the fleet is', async () => {
    const seed = hostOf('north', 0);
    for (let piece = 0; piece < 8; piece += 1) seed.map.add(piece);
    await seed.announce();
    const south = Array.from({ length: 60 }, (_, number) => hostOf('south', number));
    for (const host of south) host.want = 0;
    for (const host of south) await host.announce();
    const [one] = south;
    one!.want = 2;
    const { leases, peers } = await one!.announce();
    expect(leases.map(({ from }) => from)).toEqual(['site']);
    expect(peers.map(({ host }) => host)).toContain('north-0');
    one!.want = 0;
    expect((await one!.announce({ reports: one!.reports('held', 1) })).peers[0]).toMatchObject({ host: 'north-0' });
  });

  it('L14 take no pieces from a site that they cannot reach, and its own hosts go on with them', async () => {
    const north = [hostOf('north', 1, 2), hostOf('north', 2, 2)];
    const south = [hostOf('south', 1, 2), hostOf('south', 2, 2)];
    for (const host of [...north, ...south]) host.want = 0;
    north[0]!.map.add(0);
    south[1]!.map.add(1);
    for (const host of [...north, ...south]) await host.announce();
    for (const host of south) await host.announce({ blame: ['north-1'] });
    expect((await south[0]!.announce()).counts).toMatchObject({ holders: [0, 1], siteHolders: [0, 1] });
    expect((await south[0]!.announce()).peers.map(({ host }) => host)).not.toContain('north-1');
    expect((await north[1]!.announce()).counts).toMatchObject({ siteHolders: [1, 0] });
    expect((await north[1]!.announce()).peers.map(({ host }) => host)).toContain('north-1');
    expect(await north[0]!.announce()).toMatchObject({ isHidden: false, isHiddenFar: true });
    // The lease on the piece that the hidden host has goes on when that host announces.
    south[0]!.want = 2;
    const { leases } = await south[0]!.announce();
    const lease = leases.find(({ piece }) => piece === 0);
    expect(lease).toMatchObject({ from: 'origin' });
    await north[0]!.announce();
    expect((await south[0]!.announce({ reports: south[0]!.reports('held', 1) })).leases).toContainEqual(
      expect.objectContaining({ id: lease!.id }),
    );
  });

  it('L14 hide a host from the sites that report it alone: a third site still fetches from it', async () => {
    const [north, west] = [hostOf('north', 1, 2), hostOf('west', 1, 2)];
    const south = [hostOf('south', 1, 2), hostOf('south', 2, 2)];
    for (const host of [north, west, ...south]) host.want = 0;
    north.map.add(0);
    for (const host of [north, west, ...south]) await host.announce();
    for (const host of south) await host.announce({ blame: ['north-1'] });
    expect((await south[0]!.announce()).counts.holders).toEqual([0, 0]);
    expect(await north.announce()).toMatchObject({ isHiddenFar: false });
    north.map.add(1);
    await north.announce();
    const seen = await west.announce();
    expect(seen.counts.holders).toEqual([1, 1]);
    expect(seen.peers.map(({ host }) => host)).toContain('north-1');
    expect((await south[0]!.announce()).counts.holders).toEqual([0, 0]);
    [south[0]!.want, west.want] = [1, 1];
    expect((await south[0]!.announce()).leases).toMatchObject([{ from: 'origin' }]);
    expect((await west.announce()).leases).toMatchObject([{ from: 'site' }]);
    // The only host of a site is believed by itself, for that site.
    await west.announce({ blame: ['north-1'] });
    expect((await west.announce()).counts.holders).toEqual([0, 0]);
    expect(await north.announce()).toMatchObject({ isHiddenFar: true });
    await north.leave();
    expect((await west.announce()).counts.holders).toEqual([0, 0]);
  });

  it('L14 hide a host from all when two of its own site cannot fetch from it', async () => {
    const hosts = [hostOf('north', 1), hostOf('north', 2), hostOf('north', 3), hostOf('south', 1)];
    for (const host of hosts) await host.announce();
    for (const host of hosts.slice(1, 3)) await host.announce({ blame: ['north-1'] });
    expect(await hosts[0]!.announce()).toMatchObject({ isHidden: true });
  });

  it('L12 keep a lease beyond its deadline once, of which more than half is there and more arrives', async () => {
    const near = hostOf('north', 1, 1);
    near.leaseMs = MINUTE_MS;
    await near.announce();
    const [{ id } = { id: '' }] = near.leases;
    let bytes = MIB / 2;
    const holds = async (): Promise<boolean> => {
      const { leases } = await near.announce({ reports: near.reports('held', bytes++) });
      return leases.some((lease) => lease.id === id);
    };
    expect(await holds()).toBe(true);
    await makeOlder(test, fileOf(1), MINUTE_MS);
    expect(await holds()).toBe(true);
    await makeOlder(test, fileOf(1), MINUTE_MS / 2);
    expect(await holds()).toBe(true);
    // However much arrives.
    await makeOlder(test, fileOf(1), MINUTE_MS);
    expect(await holds()).toBe(false);
  });

  it('L12 end a lease at its deadline of which less than half is there', async () => {
    const near = hostOf('north', 1, 1);
    near.leaseMs = 300;
    await near.announce();
    const [{ id } = { id: '' }] = near.leases;
    near.want = 0;
    await near.announce({ reports: near.reports('held', MIB / 4) });
    await until(async () => (await near.announce()).leases.every((lease) => lease.id !== id), { what: 'it has ended' });
  });
});
