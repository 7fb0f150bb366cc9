import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { demoSwarm } from '../../../../apps/cli/demo/swarm/demo-swarm.ts';
import { createTestDatabase, type TestDatabase } from '../../../helpers/database.ts';
import { testRedisUrl } from '../../../helpers/services.ts';

const DIST = fileURLToPath(new URL('../../../../dist', import.meta.url));

describe('haulier demo swarm', () => {
  let home: string;
  let database: TestDatabase;
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'haulier-swarm-'));
    database = await createTestDatabase(1);
  }, 60_000);
  afterEach(async () => {
    await database.drop();
    await rm(home, { recursive: true, force: true });
  });

  it('N6 N8 brings a file to eight workers with about one copy from the origin, and serves it to clients of others', async () => {
    const said = { stdout: '', stderr: '' };
    const env = { PATH: process.env['PATH'], HAULIER_HOME: home, HAULIER_PORT: '0', CI: '1' };
    const servers = {
      ...{ databaseUrl: database.url, redisUrl: testRedisUrl(), enrol: true },
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
    await demoSwarm({ json: true }, context, servers).catch((error: unknown) => {
      throw new Error(said.stderr, { cause: error });
    });
    const document = JSON.parse(said.stdout) as { originCopies: number; clients: readonly object[] };
    expect(document).toMatchObject({ schema: 'haulier.demo-swarm/v1', hosts: 8, pieces: 46 });
    expect(document.originCopies).toBeLessThan(1.3);
    expect(document.clients).toHaveLength(3);
    expect(document.clients.filter((client) => 'sha256' in client).length).toBeGreaterThan(0);
    expect(said.stderr).toMatch(/100% of all pieces, 8 of 8 hosts have the file/);
    expect(said.stderr).toMatch(/demo: stopping\n$/);
  }, 600_000);
});
