import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import pg from 'pg';
import { startServers } from '../../../../apps/cli/stack/start-servers.ts';
import { testCacheDir } from '../../../helpers/services.ts';

/** The server itself, not the guard that started it. */
async function pidOfRedis(url: string): Promise<number> {
  const redis = new Redis(url);
  try {
    return Number(/process_id:(\d+)/.exec(await redis.info('server'))![1]);
  } finally {
    redis.disconnect();
  }
}

async function pidOfPostgres(url: string): Promise<number> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    const { rows } = await client.query<{ text: string }>(`SELECT pg_read_file('postmaster.pid') AS text`);
    return Number.parseInt(rows[0]!.text, 10);
  } finally {
    await client.end();
  }
}

describe('the servers of haulier up', () => {
  let home: string;
  const stops: (() => Promise<void>)[] = [];
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'haulier-servers-'));
  });
  afterEach(async () => {
    for (const stop of stops.splice(0)) await stop();
    await rm(home, { recursive: true, force: true });
  });

  const start = (given: { databaseUrl?: string; redisUrl?: string }) =>
    startServers(
      {
        home,
        cacheDir: testCacheDir(),
        databaseUrl: undefined,
        redisUrl: undefined,
        report: () => undefined,
        ...given,
      },
      stops,
    );

  it('K48 end the stack with words when Redis dies', async () => {
    const { redisUrl, ends } = await start({ databaseUrl: 'postgresql://elsewhere' });
    process.kill(await pidOfRedis(redisUrl), 'SIGKILL');
    const ended = await Promise.race(ends);
    expect([ended.name, await ended.logTail()]).toEqual(['Redis server', '  redis ended with signal 9']);
  });

  it('K48 end the stack with words when PostgreSQL dies', async () => {
    const { databaseUrl, ends } = await start({ redisUrl: 'redis://elsewhere' });
    process.kill(await pidOfPostgres(databaseUrl), 'SIGKILL');
    const ended = await Promise.race(ends);
    expect([ended.name, await ended.logTail()]).toEqual(['PostgreSQL server', '  postgres ended with signal 9']);
  });

  it('are none where both are given', async () => {
    expect((await start({ databaseUrl: 'postgresql://a', redisUrl: 'redis://b' })).ends).toEqual([]);
  });
});
