import { fileURLToPath } from 'node:url';
import { expect, it } from '@jest/globals';
import { chaos } from '../../bench/soak/chaos/chaos.ts';
import { expectNoLeaks } from '../helpers/leaks.ts';
import { testCacheDir } from '../helpers/services.ts';

expectNoLeaks();

it('N13 I03 I04 J01 J02 J03 H04 RE15 two APIs, workers, Redis and PostgreSQL are broken at random moments: no download is lost, none is published or counted twice', async () => {
  const report = await chaos({
    ...{ hosts: 20, filesPerHost: 100, requests: 5, apis: 2, workerProcesses: 2, longestJobMs: 100 },
    blows: { api: 5, worker: 3, flush: 1, delete: 40, redis: 1, postgres: 1 },
    ...{ seed: 20_261_129, silentAfter: '3s' },
    ...{ distDir: fileURLToPath(new URL('../../dist', import.meta.url)), cacheDir: testCacheDir() },
    say: () => undefined,
  });
  expect(report).toMatchObject({ wanted: 2000, lost: 0, doubled: 0, violations: [] });
  expect(report.blows).toHaveLength(13);
});
