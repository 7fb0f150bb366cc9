import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { silentLogger } from '#core/logger';
import { MIB } from '#core/units';
import { connect, type Database } from '#database/sql/connect';
import { downloadById } from '#database/downloads/download-queries';
import { hold } from '../helpers/origin/origin-fault.ts';
import { startOrigin, type Origin } from '../helpers/origin/origin.ts';
import { sampleFile, sampleManifest, sha256OfFile } from '../helpers/sample-file.ts';
import { startSystem, type System } from '../helpers/system.ts';
import { until } from '../helpers/until.ts';
import { hubOf } from './hub-of.ts';

/** Refused again and again, but not for long: an attempt is over at once. */
const THROTTLED = { path: '/resolve/', fault: { do: 'status', status: 429, retryAfterS: 0 } } as const;

describe('the attempts of a download', () => {
  const file = sampleFile('model.bin', 8 * MIB);
  let origin: Origin;
  let system: System;
  let database: Database;

  beforeAll(async () => {
    origin = await startOrigin(hubOf([file]), [], { bytesPerSecond: 40 * MIB });
    system = await startSystem({ origin });
    database = connect({ url: system.services.databaseUrl, poolSize: 1, logger: silentLogger });
  });
  afterAll(async () => {
    await database.close();
    await system.stop();
    await origin.close();
  });

  it('RE3 ME5 are three at most, say why in each try, are counted in Postgres, and start again at a resume request', async () => {
    origin.rules.push(THROTTLED);
    // The mirror answers that it does not have the file: this is no outage of all sources.
    const [hub] = sampleManifest('sample', [file]).sources!;
    const sources = [hub!, { kind: 'mirror' as const, url: `${origin.url}/nowhere.bin` }];
    const files = [{ path: file.path, sizeBytes: file.content.size, sha256: file.sha256, sources }];
    await system.client.publishVersion({ name: 'sample', version: '1', files });
    const { id } = (await system.client.createDownloads({ model: 'sample', host: 'host-a' })).downloads[0]!;

    // On a busy machine a pause between two attempts may be over before it is seen.
    const waiting = await system.awaitDownload(id, ({ reason, status }) => reason === 'retry' || status === 'failed');
    expect(waiting.attempts + waiting.attemptsLeft).toBe(3);
    const failed = await system.awaitDownload(id, ({ status }) => status === 'failed');
    expect(failed).toMatchObject({ attempts: 3, attemptsLeft: 0, outcome: 'all_layers_exhausted' });
    expect(new Set(failed.tries.map(({ attempt }) => attempt))).toEqual(new Set([1, 2, 3]));
    // ME5: why the source was asked at its place, and what was decided after it failed.
    const whys = failed.tries.map(({ reason }) => reason);
    expect(whys).toContain('configured 1st; throttled, it said when to return');
    expect(whys.some((why) => /^configured 1st, \d+ % of its tries succeed.*; throttled, 3 times/.test(why!))).toBe(
      true,
    );
    const row = (await downloadById(database, id))!;
    expect(row).toMatchObject({ attempts: 3, attemptsUsed: 3 });
    expect(row.lastAttemptAt!.toISOString()).toBe(failed.lastAttemptAt);
    expect(row.lastAttemptAt!.getTime()).toBeGreaterThan(row.startedAt!.getTime());

    const { fault, go } = hold(MIB);
    origin.rules[0] = { path: THROTTLED.path, fault };
    await system.client.resumeDownload(id);
    const again = await system.awaitDownload(id, ({ attempts }) => attempts > 3);
    expect(again).toMatchObject({ attempts: 6 - again.attemptsLeft, error: null });
    origin.rules.pop();
    go();
    const done = await system.awaitDownload(id, ({ status }) => status === 'success');
    expect(await sha256OfFile(done.path!)).toBe(file.sha256);
    expect(done.attempts).toBeLessThanOrEqual(6);
  });

  it('RE3 RE15 leave the exact resume point in Postgres', async () => {
    const other = sampleFile('other.bin', 32 * MIB);
    origin.serve(hubOf([other]));
    origin.rules.push({ path: other.path, fault: hold(16 * MIB).fault });
    await system.client.publishVersion(sampleManifest('other', [other]));
    const { id } = (await system.client.createDownloads({ model: 'other', host: 'host-a' })).downloads[0]!;
    const sent = (): number =>
      origin.requests.filter(({ path }) => path.includes('other')).reduce((sum, { bytesSent }) => sum + bytesSent, 0);
    await until(() => sent() >= 16 * MIB, { what: 'half of it is sent' });
    await system.workers[0]!.stop();
    await system.awaitDownload(id, ({ status }) => status === 'paused');
    origin.rules.pop();
    const { currentSize } = (await downloadById(database, id))!;
    expect(currentSize).toBeGreaterThan(0);
    const before = sent();

    await system.startWorker('host-a');
    await system.awaitDownload(id, ({ status }) => status === 'success');
    expect((await downloadById(database, id))!.resumedBytes).toBe(currentSize);
    expect(sent() - before).toBe(other.content.size - currentSize);
  });
});
