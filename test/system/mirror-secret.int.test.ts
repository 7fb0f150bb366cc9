import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { silentLogger } from '#core/logger';
import { connectPatiently, disconnect } from '#queue/connection';
import { startSystem, type System } from '../helpers/system.ts';

const FILE = randomBytes(100_000);
const SHA256 = createHash('sha256').update(FILE).digest('hex');
const SECRET = `s3cret${randomBytes(8).toString('hex')}`;

describe('a mirror behind a login', () => {
  let server: Server;
  let system: System;
  let url: string;
  beforeAll(async () => {
    server = createServer((request, response) => {
      if (request.headers.authorization !== `Bearer ${SECRET}`) return void response.writeHead(401).end();
      response.writeHead(200, { 'content-length': FILE.length }).end(FILE);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    url = `http://127.0.0.1:${port}`;
    const secrets = { files: { origin: url, authorization: `Bearer ${SECRET}` } };
    system = await startSystem({
      env: { HAULIER_SECRETS: JSON.stringify(secrets), HAULIER_ALLOW_ADDRESSES: `127.0.0.1:${port}` },
    });
  });
  afterAll(async () => {
    await system.stop();
    server.close();
  });

  const bring = async (secretRef: string, path: string, file = { sha256: SHA256, sizeBytes: FILE.length }) => {
    const files = [{ path, ...file, sources: [{ kind: 'mirror' as const, url: `${url}/${path}`, secretRef }] }];
    const { downloads } = await system.client.createDownloads({ files, host: 'host-a' });
    return system.awaitDownload(downloads[0]!.id, ({ status }) => status === 'success' || status === 'failed');
  };

  it('T09 is read with the secret of the worker, which is nowhere else', async () => {
    expect(await bring('files', 'model.bin')).toMatchObject({ status: 'success', verified: true });
    const { databaseUrl, redisUrl, prefix } = system.services;
    const client = new pg.Client({ connectionString: databaseUrl });
    await client.connect();
    const tables = await client.query<{ name: string }>(
      `SELECT quote_ident(tablename) AS name FROM pg_tables WHERE schemaname = 'public'`,
    );
    const stored: string[] = [];
    for (const { name } of tables.rows)
      stored.push(
        ...(await client.query<{ row: string }>(`SELECT t::text AS row FROM ${name} t`)).rows.map(({ row }) => row),
      );
    await client.end();
    const redis = connectPatiently({ url: redisUrl, prefix }, 'test', silentLogger);
    for (const key of await redis.keys(`${prefix}*`))
      stored.push((await redis.dumpBuffer(key))?.toString('latin1') ?? '');
    disconnect(redis);
    stored.push(await system.logOf('api'), await system.logOf('worker-host-a'));
    expect(stored.length).toBeGreaterThan(10);
    expect(stored.filter((text) => text.includes(SECRET))).toEqual([]);
  });

  it('T09 fails with what to do when the worker has no secret of that name', async () => {
    const content = randomBytes(1000);
    const sha256 = createHash('sha256').update(content).digest('hex');
    const failed = await bring('other', 'other.bin', { sha256, sizeBytes: content.length });
    expect([failed.status, failed.error]).toEqual([
      'failed',
      expect.stringContaining('this worker has no secret "other"'),
    ]);
  });
});
