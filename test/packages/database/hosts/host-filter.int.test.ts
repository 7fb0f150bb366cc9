import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { selectableOf } from '#core/selector/host-labels';
import { isSelected, parseSelector } from '#core/selector/selector';
import { alikeHosts, hostMarks, type HostMarks } from '#database/hosts/host-marks';
import { listHosts } from '#database/hosts/host-queries';
import { createTestDatabase, type TestDatabase } from '../../../helpers/database.ts';

const ALIVE_SINCE = new Date('2026-11-30T00:00:00Z');

describe('hosts that a filter matches', () => {
  let test: TestDatabase;
  let all: HostMarks[];

  beforeAll(async () => {
    test = await createTestDatabase();
    const sql = `INSERT INTO hosts (name, first_seen_at, last_seen_at, worker_version, labels, worker_labels, facts, store_bytes, free_bytes)
      VALUES ($1, $2, $2, $3, $4, $5, $6, $7, $8)`;
    const second = new Date(ALIVE_SINCE.getTime() - 1);
    for (const row of [
      [
        'a_1',
        ALIVE_SINCE,
        '1',
        { site: 'eu' },
        { site: 'us', gpu: 'true' },
        { arch: 'x64', os: 'linux', gpus: 2 },
        90,
        10,
      ],
      ['ab1', ALIVE_SINCE, '2', {}, { site: 'us' }, { arch: 'arm64', os: 'linux' }, 91, 9],
      ['a%c', second, null, { gpu: '' }, {}, {}, null, null],
      ['z\\9', second, '2', {}, { gpu: 'false', site: 'eu' }, { arch: 'x64', os: 'linux', memoryBytes: 7 }, 1, 1],
    ] as const)
      await test.database.pool.query(sql, [...row]);
    all = await hostMarks(test.database, { aliveSince: ALIVE_SINCE, selector: [] });
  });
  afterAll(() => test.drop());

  const names = (hosts: readonly Pick<HostMarks, 'name'>[]): string[] => hosts.map(({ name }) => name).toSorted();

  it.each([
    ...['', 'site=eu', 'site!=eu', 'site in (eu,us)', 'site notin (us)', 'gpu', '!gpu', 'gpu=', 'gpu!=', 'none'],
    ...['name~a*', 'name~a_1', 'name~A%*', 'name~*9', 'name~z\\9', 'name~*', 'gpu=true,site=eu', 'site=us,name~*b*'],
    ...['haulier.io/arch=x64', 'haulier.io/gpus!=2', 'haulier.io/worker-version=2,site=us', '!haulier.io/os'],
  ])('are those that the selector "%s" means, however it is compared', async (text) => {
    const selector = parseSelector(text);
    const meant = all.filter((host) => isSelected(selector, selectableOf(host)));
    const filter = { aliveSince: ALIVE_SINCE, selector };
    const read = [await hostMarks(test.database, filter), await listHosts(test.database, 10, '', filter)];
    for (const hosts of read) {
      expect(names(hosts)).toEqual(expect.arrayContaining(names(meant)));
      expect(names(hosts.filter((host) => isSelected(selector, selectableOf(host))))).toEqual(names(meant));
      if (!text.includes('haulier.io/')) expect(names(hosts)).toEqual(names(meant));
    }
  });

  it('are online from a moment on, and low on disk below a tenth', async () => {
    const of = async (more: object) =>
      names(await hostMarks(test.database, { aliveSince: ALIVE_SINCE, selector: [], ...more }));
    expect(await of({ status: 'online' })).toEqual(['a_1', 'ab1']);
    expect(await of({ status: 'offline', versions: ['unknown'] })).toEqual(['a%c']);
    expect(await of({ isLowOnDisk: true })).toEqual(['ab1']);
    expect(await of({ namePart: '_' })).toEqual(['a_1']);
  });

  it('are counted by what they are told apart by', async () => {
    await test.database.pool
      .query(`INSERT INTO hosts (name, first_seen_at, last_seen_at, worker_version, labels, worker_labels, facts, store_bytes, free_bytes)
      SELECT 'twin', first_seen_at, last_seen_at, worker_version, labels, worker_labels, facts || '{"memoryBytes": 1}', 1, 1 FROM hosts WHERE name = 'a_1'`);
    const groups = await alikeHosts(test.database, { aliveSince: ALIVE_SINCE, selector: parseSelector('gpu=true') });
    expect(groups).toEqual([
      {
        ...{
          hosts: 2,
          isOnline: true,
          draining: false,
          isLowOnDisk: false,
          workerVersion: '1',
          labels: { site: 'eu' },
        },
        ...{ workerLabels: { site: 'us', gpu: 'true' }, facts: { arch: 'x64', os: 'linux', gpus: 2 } },
      },
    ]);
    await test.database.pool.query(`DELETE FROM hosts WHERE name = 'twin'`);
  });
});
