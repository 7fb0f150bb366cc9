import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { demoFleet } from '../../../../apps/cli/demo/fleet/demo-fleet.ts';
import { createTestDatabase, type TestDatabase } from '../../../helpers/database.ts';
import { testRedisUrl } from '../../../helpers/services.ts';

const DIST = fileURLToPath(new URL('../../../../dist', import.meta.url));

describe('haulier demo fleet', () => {
  let home: string;
  let database: TestDatabase;
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'haulier-fleet-'));
    database = await createTestDatabase(1);
  });
  afterEach(async () => {
    await database.drop();
    await rm(home, { recursive: true, force: true });
  });

  it('brings two versions to twelve workers, through a pause, a retry, a return and a full disk, and goes back without a byte', async () => {
    const said = { stdout: '', stderr: '' };
    const env = { PATH: process.env['PATH'], HAULIER_HOME: home, HAULIER_PORT: '0', CI: '1' };
    const servers = {
      databaseUrl: database.url,
      redisUrl: testRedisUrl(),
      redisPrefix: `{t${randomBytes(6).toString('hex')}}`,
    };
    const context = {
      env,
      stdout: { write: (text: string) => (said.stdout += text) },
      stderr: { write: (text: string) => (said.stderr += text) },
      stdin: Readable.from([]),
      distDir: DIST,
      signal: new AbortController().signal,
    };
    await demoFleet({ json: true }, context, servers).catch((error: unknown) => {
      throw new Error(said.stderr, { cause: error });
    });
    const document = JSON.parse(said.stdout) as { hosts: number; diskFull: object };
    const hasSmallDisk = !('skipped' in document.diskFull);
    expect(document).toMatchObject({
      hosts: 12,
      waves: {
        state: 'succeeded',
        waves: [
          { name: 'canary', hosts: 2 },
          { name: 'half', hosts: 4 },
          { name: 'all', hosts: 6 },
        ],
      },
      paused: { reason: 'threshold', failedHosts: [expect.any(String), expect.any(String)], untouchedHosts: 10 },
      retried: { hosts: 2, succeeded: hasSmallDisk ? 10 : 11 },
      returned: { state: 'done' },
      diskFull: hasSmallDisk
        ? { shownVersion: '1.0', reason: expect.any(String) }
        : { skipped: expect.stringContaining('no small disk could be mounted here') },
      rolledBack: { state: 'succeeded', hosts: 12, alreadyPresent: 12, bytesMoved: 0 },
      rollout: { state: hasSmallDisk ? 'succeeded_with_failures' : 'succeeded', exitCode: 0 },
      exitCode: 0,
    });
    expect(said.stderr).toMatch(/; exit code 0\ndemo: stopping\n$/);
  }, 600_000);
});
