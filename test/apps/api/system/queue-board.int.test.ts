import { appRoutes } from '@bull-board/api/dist/routes.js';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Problem } from '#contracts/http/problem';
import { silentLogger } from '#core/logger';
import type { Role } from '#core/scopes';
import { connect } from '#database/sql/connect';
import { connectPatiently, disconnect } from '#queue/connection';
import { privateRedis, type PrivateRedis } from '../../../helpers/redis.ts';
import { startSystem, type System } from '../../../helpers/system.ts';
import { openBrowser, type Browser } from '../access/browser.ts';
import { callAt } from '../start-app.ts';

const BOARD = '/admin/queues';
const PASSWORD = 'correct horse battery';
const HOSTS = 10_000;
const LOOKS = 5;
/** The board opens the queues of so many hosts by itself; those of the pool and of maintenance come on top. */
const MOST_QUEUES = 50 + 2;
/** Of Redis, for each queue that is shown, at each look; what its scripts call is counted too, and what the API does meanwhile. */
const MOST_COMMANDS_A_QUEUE = 40;

/** What the board can be told to do, as its library names it. */
const acts = appRoutes.api.flatMap(({ method, route }) =>
  [method]
    .flat()
    .filter((one) => one !== 'get')
    .flatMap((one) =>
      [route].flat().map((path) => ({
        method: one.toUpperCase(),
        path: BOARD + path.replace(':queueName', 'downloads').replaceAll(/:\w+/g, 'x'),
      })),
    ),
);

describe('the queue board', () => {
  let redis: PrivateRedis;
  let system: System;

  beforeAll(async () => {
    redis = await privateRedis();
    system = await startSystem({ hosts: [], redisUrl: redis.url });
  });
  afterAll(async () => {
    await system?.stop();
    await redis?.end();
  });

  async function signIn(role: Role): Promise<Browser> {
    await system.client.createUser({ name: `the-${role}`, role, password: PASSWORD });
    const browser = openBrowser({ call: callAt(system.apiUrl) });
    const signedIn = await browser.send('POST', '/api/session', { user: `the-${role}`, password: PASSWORD });
    expect(signedIn.statusCode).toBe(201);
    return browser;
  }

  it.each(['viewer', 'operator'] as const)('T46 refuses every act of the board to the %s', async (role) => {
    const browser = await signIn(role);
    expect(acts.length).toBeGreaterThan(15);
    for (const { method, path } of acts) {
      const answer = await browser.send(method, path, {});
      const code = answer.json<Problem>().code;
      expect([method, path, answer.statusCode, code]).toEqual([method, path, 403, 'forbidden']);
    }
  });

  it('SY4 asks Redis about a few queues at each look, however many hosts have work', async () => {
    await enterHostsWithWork();
    const browser = await signIn('admin');
    const page = (await browser.send('GET', `${BOARD}/`, undefined, { accept: 'text/html' })).body;
    expect(JSON.parse(/<script[^>]*id="__UI_CONFIG__"[^>]*>([^<]*)</.exec(page)![1]!)).toMatchObject({
      pollingInterval: { forceInterval: 10 },
    });
    const look = async (): Promise<string[]> => {
      const answer = await browser.send('GET', `${BOARD}/api/queues`);
      return answer.json<{ queues: { name: string }[] }>().queues.map(({ name }) => name);
    };
    const shown = await look();
    expect(shown).toHaveLength(MOST_QUEUES);
    const before = await commandsSoFar();
    for (let n = 0; n < LOOKS; n += 1) expect(await look()).toEqual(shown);
    const perLook = ((await commandsSoFar()) - before) / LOOKS;
    expect(perLook).toBeLessThan(MOST_QUEUES * MOST_COMMANDS_A_QUEUE);
  });

  /** Downloads that a person has paused: work that stays where it is. */
  async function enterHostsWithWork(): Promise<void> {
    const database = connect({ url: system.services.databaseUrl, poolSize: 1, logger: silentLogger });
    try {
      await database.pool.query(
        `INSERT INTO hosts (name, first_seen_at, last_seen_at) SELECT 'far-' || n, now(), now() FROM generate_series(1, $1) n`,
        [HOSTS],
      );
      await database.pool.query(
        `INSERT INTO downloads (host, path, content_key, file_id, status, pause_reason, created_at, updated_at, enqueued_generation)
         SELECT 'far-' || n, 'a.bin', 'key-' || n, gen_random_uuid(), 'paused', 'requested', now(), now(), 1 FROM generate_series(1, $1) n`,
        [HOSTS],
      );
    } finally {
      await database.close();
    }
  }

  async function commandsSoFar(): Promise<number> {
    const connection = connectPatiently({ url: redis.url, prefix: system.services.prefix }, 'test', silentLogger);
    try {
      const calls = (await connection.info('commandstats')).matchAll(/:calls=(\d+),/g);
      return [...calls].reduce((sum, [, count]) => sum + Number(count), 0);
    } finally {
      disconnect(connection);
    }
  }
});
