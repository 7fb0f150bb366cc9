import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { demoSwarm } from '../../../../apps/cli/demo/swarm/demo-swarm.ts';
import { createTestDatabase } from '../../../helpers/database.ts';
import { testRedisUrl } from '../../../helpers/services.ts';

const DIST = fileURLToPath(new URL('../../../../dist', import.meta.url));

/**
 * Plays a demo with `--json`, on the servers of the tests and in a home of its own; removes both.
 *
 * @param enrol whether its workers are enrolled
 * @returns its document, and what it said meanwhile
 * @throws Error with all that it said
 */
export async function playDemo(
  demo: typeof demoSwarm,
  { enrol }: { readonly enrol: boolean },
): Promise<{ document: unknown; stderr: string }> {
  const home = await mkdtemp(join(tmpdir(), 'haulier-demo-'));
  const database = await createTestDatabase(1);
  const said = { stdout: '', stderr: '' };
  const context = {
    env: { PATH: process.env['PATH'], HAULIER_HOME: home, HAULIER_PORT: '0', CI: '1' },
    stdout: { write: (text: string) => (said.stdout += text) },
    stderr: { write: (text: string) => (said.stderr += text) },
    stdin: Readable.from([]),
    distDir: DIST,
    signal: new AbortController().signal,
  };
  const redisPrefix = `{t${randomBytes(6).toString('hex')}}`;
  try {
    await demo({ json: true }, context, { databaseUrl: database.url, redisUrl: testRedisUrl(), redisPrefix, enrol });
    return { document: JSON.parse(said.stdout), stderr: said.stderr };
  } catch (error) {
    throw new Error(said.stderr, { cause: error });
  } finally {
    await database.drop();
    await rm(home, { recursive: true, force: true });
  }
}
