import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { MIB } from '#core/units';
import { listSwarms, noteSwarms } from '#queue/swarm/list-swarms';
import { readSwarm } from '#queue/swarm/read-swarm';
import { noteSiteHost } from '#queue/swarm/site-hosts';
import { type TestRedis, testRedis } from '../../../helpers/redis.ts';
import { until } from '../../../helpers/until.ts';
import { AnnouncingHost, fileOf } from './swarm-kit.ts';

describe('copies that leave the origin', () => {
  let test: TestRedis;
  const FILE = fileOf(8);
  const ROLLOUT = '5f3c9a52-7d3e-4b7e-8f43-1c9a52e87d3e';
  const hostOf = (name: string, site: string, copies: number): AnnouncingHost =>
    Object.assign(new AnnouncingHost(test, name, FILE), { site, want: 8, originCopies: copies, rollout: ROLLOUT });
  const held = async () => (await readSwarm(test.redis, test.settings.prefix, FILE.cid))!;
  /** One host of the site fetches all that it is leased, until it has the file. @returns where each piece came from */
  const fetchAll = async (host: AnnouncingHost): Promise<string[]> => {
    const from: string[] = [];
    for (let round = 0; round < 20 && !host.map.isComplete; round += 1) {
      await host.announce();
      from.push(...host.leases.map((lease) => lease.from));
      await host.finish();
      from.push(...host.leases.map((lease) => lease.from));
    }
    expect(host.map.isComplete).toBe(true);
    return from;
  };

  beforeEach(() => {
    test = testRedis();
  });
  afterEach(() => test.cleanup());

  it('L11 lets no more leave the origin when hosts of two sites ask at the same moment for the last piece that may', async () => {
    await fetchAll(hostOf('a', 'eu', 1));
    const pieceMore = 1 + MIB / FILE.sizeBytes;
    const hosts = [hostOf('b', 'us', pieceMore), hostOf('c', 'jp', pieceMore)];
    // Each of them lacks another piece.
    hosts.forEach(({ map }, lacked) => {
      for (let piece = 0; piece < map.count; piece += 1) if (piece !== lacked) map.add(piece);
    });
    await Promise.all(hosts.map((host) => host.announce()));
    expect(hosts.flatMap(({ leases }) => leases).map(({ from }) => from)).toEqual(['origin']);
  });

  it('L11 gives the other sites no lease on the origin where one copy may leave it', async () => {
    await fetchAll(hostOf('a', 'eu', 1));
    expect(new Set(await fetchAll(hostOf('b', 'us', 1)))).toEqual(new Set(['site']));
    expect((await held()).origin.bytes).toBe(FILE.sizeBytes);
  });

  it('L11 lets as many copies leave the origin as the rollout allows, and not one piece more', async () => {
    await fetchAll(hostOf('a', 'eu', 2));
    expect(new Set(await fetchAll(hostOf('b', 'us', 2)))).toEqual(new Set(['origin']));
    expect(new Set(await fetchAll(hostOf('c', 'jp', 2)))).toEqual(new Set(['site']));
    const swarm = await held();
    expect(swarm.origin.bytes).toBe(2 * FILE.sizeBytes);
    expect(swarm.ofRollout(ROLLOUT).origin.bytes).toBe(2 * FILE.sizeBytes);
    expect(swarm.ofRollout(ROLLOUT).sites.get('jp')?.bytes).toBe(FILE.sizeBytes);
    expect(swarm.ofRollout('').origin.bytes).toBe(0);
  });

  it('L11 leases a piece of a further copy to one host at a time, and keeps its lease when the first site announces again', async () => {
    const [first, second, beside] = [hostOf('a', 'eu', 2), hostOf('b', 'us', 2), hostOf('c', 'us', 2)];
    await fetchAll(first);
    await second.announce();
    await first.announce();
    expect(second.leases.length).toBeGreaterThan(0);
    const kept = (await second.announce({ reports: second.reports('held', 5) })).leases;
    expect(kept.map(({ from }) => from)).toEqual(kept.map(() => 'origin'));
    await beside.announce();
    const pieces = [...kept, ...beside.leases].map(({ piece }) => piece);
    expect(new Set(pieces).size).toBe(pieces.length);
  });

  it('lets a piece leave the origin again, whatever is allowed, when no host has it any more', async () => {
    const [gone, left] = [hostOf('a', 'eu', 1), hostOf('b', 'eu', 1)];
    await fetchAll(gone);
    await gone.leave();
    expect(new Set(await fetchAll(left))).toEqual(new Set(['origin']));
  });

  it('counts what hosts say that they took from the origin, once, also without a lease', async () => {
    const [host, other] = [hostOf('a', 'eu', 1), hostOf('b', 'eu', 1)];
    await host.announce({ originBytes: 0 });
    await host.announce({ originBytes: 3 * MIB });
    await host.announce({ originBytes: 3 * MIB });
    expect((await held()).origin.bytes).toBe(3 * MIB);
    // It was away for so long that it was forgotten, and goes on with the same transfer.
    host.goneMs = 200;
    await host.announce({ originBytes: 3 * MIB });
    const isForgotten = async (): Promise<boolean> => {
      await other.announce();
      return (await held()).hosts.every(({ host: name }) => name === 'b');
    };
    await until(isForgotten, { what: 'the host is forgotten' });
    await host.announce({ originBytes: 4 * MIB });
    expect((await held()).origin.bytes).toBe(4 * MIB);
    // A new transfer begins at nothing.
    await host.announce({ originBytes: 1 * MIB });
    expect((await held()).origin.bytes).toBe(5 * MIB);
  });

  it('lists swarms with hosts, those that most hosts fetch first', async () => {
    const [busy, quiet] = [fileOf(4), fileOf(2)];
    const { redis, settings } = test;
    for (const name of ['a', 'b']) await new AnnouncingHost(test, name, busy).announce();
    await new AnnouncingHost(test, 'c', quiet).announce();
    await noteSwarms(redis, settings.prefix, [quiet, busy, fileOf(1)], 1_000_000);
    const listed = await listSwarms(redis, settings.prefix);
    expect(listed).toEqual([
      { ...busy, announcedAt: 1_000_000, hosts: 2, leechers: 2, originLeases: 2, originBytes: 0 },
      { ...quiet, announcedAt: 1_000_000, hosts: 1, leechers: 1, originLeases: 2, originBytes: 0 },
    ]);
    await noteSwarms(redis, settings.prefix, [busy], 1_000_000 + 2 * 3_600_000);
    expect((await listSwarms(redis, settings.prefix)).map(({ cid }) => cid)).toEqual([busy.cid]);
  });

  it('counts hosts that fetch from outside of a site, the asking one included, and forgets those that fell silent', async () => {
    const { redis, settings } = test;
    const note = (host: string, isFetching: boolean, keptMs = 60_000) =>
      noteSiteHost(redis, settings.prefix, { site: 'eu', host, isFetching }, keptMs);
    expect([await note('a', true), await note('b', true), await note('b', true)]).toEqual([1, 2, 2]);
    expect([await note('c', false), await note('a', false), await note('c', true)]).toEqual([3, 2, 2]);
    await noteSiteHost(redis, settings.prefix, { site: 'us', host: 'a', isFetching: true }, 60_000);
    expect(await note('b', false)).toBe(2);
  });
});
