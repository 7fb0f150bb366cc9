import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { insertDownloads } from '#database/downloads/insert-downloads';
import { unqueuedDownloads } from '#database/downloads/outbox-queries';
import { applyEvents } from '#database/history/event-queries';
import { hasWaitingRepairs, raiseDriftAlarms, releaseRepairs } from '#database/hosts/repairs';
import { listNotices } from '#database/hosts/host-queries';
import type { Database } from '#database/sql/connect';
import { createTestDatabase, type TestDatabase } from '../../../helpers/database.ts';
import { at, batch, file, finished, inventory, mustFind } from '../fixtures.ts';

describe('the repairs of a fleet', () => {
  let made: TestDatabase;
  let database: Database;
  beforeEach(async () => {
    made = await createTestDatabase();
    database = made.database;
  });
  afterEach(() => made.drop());

  const MODEL = { name: 'whisper', type: 'stt', version: '1' };
  const order = (hosts: string[]) => ({ hosts, files: [file('a.onnx')], model: MODEL });
  const budget = { hostsPerSite: 2, shareOfSite: 0.05, aliveSince: at(50) };

  const hostsOf = async (ids: readonly string[]): Promise<string[]> => {
    const rows = await Promise.all(ids.map((id) => mustFind(database, id)));
    return rows.map(({ host }) => host!).sort();
  };
  const release = async (seconds: number, aliveSince = at(50)): Promise<string[]> =>
    hostsOf(await releaseRepairs(database, { ...budget, aliveSince }, at(seconds)));

  /** Hosts of one site with a published file each; the first of them lose it, one after another. */
  async function site(name: string, hosts: number, lose: number): Promise<string[]> {
    const names = Array.from({ length: hosts }, (_, n) => `${name}-${String(n).padStart(2, '0')}`);
    await insertDownloads(database, order(names), { finishedOn: [] }, at(0));
    const { rows } = await database.pool.query<{ id: string; host: string }>(
      'SELECT id, host FROM downloads WHERE host = ANY($1)',
      [names],
    );
    await applyEvents(
      database,
      rows.map(({ id, host }) => batch([finished({ id }, 10)], { host })),
      at(60),
    );
    await database.pool.query(`UPDATE hosts SET labels = jsonb_build_object('site', $2::text) WHERE name = ANY($1)`, [
      names,
      name,
    ]);
    for (const [n, host] of names.slice(0, lose).entries())
      await applyEvents(database, [batch([inventory(20, [])], { host })], at(60 + n));
    return names;
  }

  it('N26 begin with as many hosts of a site as its budget has, and with one where that is less than one', async () => {
    const large = await site('large', 60, 5);
    const small = await site('small', 3, 2);
    expect(await unqueuedDownloads(database, 100)).toEqual([]);
    expect(await release(100)).toEqual([large[0], large[1], small[0]]);
    expect((await unqueuedDownloads(database, 100)).map(({ host }) => host).sort()).toEqual([
      ...[large[0], large[1]],
      small[0],
    ]);
    expect(await release(101)).toEqual([]);
    expect(await hasWaitingRepairs(database)).toBe(true);
  });

  it('N26 go on with the next host when one is repaired, or waits for its sources', async () => {
    const names = await site('eu', 60, 5);
    const [first, second] = await releaseRepairs(database, budget, at(100));
    const hostOf = async (id: string) => (await mustFind(database, id)).host;
    await applyEvents(
      database,
      [batch([finished({ id: first!, generation: 2 }, 110)], { host: await hostOf(first!) })],
      at(110),
    );
    expect(await release(111)).toEqual([names[2]]);
    await database.pool.query(
      `UPDATE downloads SET status = 'paused', pause_reason = 'sources_unavailable' WHERE id = $1`,
      [second],
    );
    expect(await release(112)).toEqual([names[3]]);
  });

  it('N26 do not begin on a host that is offline, and do not wait for one', async () => {
    const names = await site('eu', 3, 2);
    await database.pool.query('UPDATE hosts SET last_seen_at = $2 WHERE name = $1', [names[0], at(1)]);
    expect(await release(100)).toEqual([names[1]]);
  });

  it('N26 begin at once when the file is asked for', async () => {
    const names = await site('eu', 3, 2);
    await insertDownloads(database, order([names[1]!]), { finishedOn: [] }, at(70));
    expect((await unqueuedDownloads(database, 100)).map(({ host }) => host)).toEqual([names[1]]);
  });

  it('N26 raise one alarm for a site of which a fifth has lost files, and none for fewer', async () => {
    await site('eu', 10, 3);
    await site('us', 10, 2);
    expect(await raiseDriftAlarms(database, at(0), at(100))).toEqual([{ site: 'eu', hosts: 10, lostOn: 3 }]);
    expect(await raiseDriftAlarms(database, at(0), at(200))).toEqual([]);
    expect(await raiseDriftAlarms(database, at(150), at(200))).toHaveLength(1);
    const [notice] = await listNotices(database, { notice: 'drift', limit: 1 });
    expect(notice!.message).toMatch(/^3 of 10 hosts of the site eu have lost files at once/);
  });
});
