import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Manifest, type ManifestInput } from '#contracts/manifest';
import { cidByValue, cidsOfModel } from '#database/models/cid-queries';
import type { Database } from '#database/sql/connect';
import { applyEvents } from '#database/history/event-queries';
import { listHosts } from '#database/hosts/host-queries';
import {
  ConflictError,
  listModels,
  listVersions,
  manifestOf,
  modelByName,
  putManifest,
} from '#database/models/model-queries';
import { createToken, listTokens, revokeToken, touchToken, validToken } from '#database/access/token-queries';
import { createTestDatabase, type TestDatabase } from '../../../helpers/database.ts';
import { at, batch, CID, failed, file, finished, oneDownload, SHA256, START } from '../fixtures.ts';

describe('the catalogue', () => {
  let made: TestDatabase;
  let database: Database;
  beforeEach(async () => {
    made = await createTestDatabase();
    database = made.database;
  });
  afterEach(() => made.drop());

  const manifest = (version: string, more: Partial<ManifestInput> = {}): Manifest =>
    Manifest.parse({
      name: 'whisper-base',
      type: 'stt',
      version,
      files: [
        { path: 'onnx/encoder.onnx', sizeBytes: 78_600_000, sha256: SHA256, cid: CID },
        { path: 'config.json', sha256: 'cd'.repeat(32) },
      ],
      ...more,
    });

  it('VE1 stores a version once; a repeat changes nothing', async () => {
    const first = await putManifest(database, manifest('1.0'), at(1));
    expect(first).toMatchObject({
      created: true,
      version: { model: 'whisper-base', version: '1.0', fileCount: 2, sizeBytes: 78_600_000, createdAt: at(1) },
    });
    const { files, ...head } = manifest('1.0');
    const sameInOtherOrder = { files, ...head } as Manifest;
    expect(await putManifest(database, sameInOtherOrder, at(2))).toEqual({ ...first, created: false });
  });

  it('VE1 refuses other content under a version that exists', async () => {
    await putManifest(database, manifest('1.0'), at(1));
    const other = putManifest(database, manifest('1.0', { type: 'tts' }), at(2));
    await expect(other).rejects.toThrow(ConflictError);
    await expect(other).rejects.toThrow('give this content a new version');
    expect(await modelByName(database, 'whisper-base')).toMatchObject({ type: 'stt' });
  });

  it('VE1 stores one of several contents that are sent under the same version at once', async () => {
    const types = ['stt', 'tts', 'llm', 'ocr'];
    const answers = await Promise.allSettled(
      types.map((type) => putManifest(database, manifest('1.0', { type }), at(1))),
    );
    expect(answers.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    const stored = await manifestOf(database, 'whisper-base', '1.0');
    expect(await modelByName(database, 'whisper-base')).toMatchObject({ type: stored!.manifest.type });
  });

  it('VE1 makes the newest version the current one', async () => {
    await putManifest(database, manifest('1.0'), at(1));
    await putManifest(database, manifest('2.0'), at(2));
    expect((await listVersions(database, 'whisper-base')).map(({ version }) => version)).toEqual(['2.0', '1.0']);
    expect(await manifestOf(database, 'whisper-base')).toMatchObject({ version: '2.0', manifest: manifest('2.0') });
    expect(await manifestOf(database, 'whisper-base', '1.0')).toMatchObject({ version: '1.0' });
    expect(await manifestOf(database, 'nothing')).toBeUndefined();
    expect(await listModels(database)).toMatchObject([
      { name: 'whisper-base', currentVersion: '2.0', createdAt: at(1) },
    ]);
  });

  it('RE14 records a CID once, and a repeat as last access and a further success', async () => {
    const model = { name: 'whisper-base', type: 'stt', version: '1' };
    for (const seconds of [1, 2]) {
      const download = await oneDownload(database, { model, files: [file(`${seconds}.bin`, { cid: CID })] });
      await applyEvents(database, [batch([finished(download, seconds)])], at(seconds));
    }
    expect(await cidByValue(database, CID)).toEqual({
      ...{ cid: CID, model: 'whisper-base', type: 'stt', hash: SHA256, gateway: 'https://gateway.example' },
      ...{ cachedAt: at(1), lastAccessedAt: at(2), successCount: 2, failureCount: 0 },
    });
    expect(await cidByValue(database, 'bafynothing')).toBeUndefined();
  });

  it('RE14 finds the CIDs of a model and a type, newest first', async () => {
    const had = [
      ['bafy0', 'whisper-base', 'stt'],
      ['bafy1', 'whisper-base', 'tts'],
      ['bafy2', 'whisper-base', 'stt'],
      ['bafyother', 'other', 'stt'],
    ] as const;
    for (const [n, [cid, name, type]] of had.entries()) {
      const wish = { model: { name, type, version: '1' }, files: [file(`${cid}.bin`, { cid })] };
      await applyEvents(database, [batch([finished(await oneDownload(database, wish), n, { cid })])], at(n));
    }
    const cids = async (type: string | undefined, limit = 10) =>
      (await cidsOfModel(database, 'whisper-base', type, limit)).map(({ cid }) => cid);
    expect(await cids('stt')).toEqual(['bafy2', 'bafy0']);
    expect(await cids(undefined)).toHaveLength(3);
    expect(await cids(undefined, 1)).toEqual(['bafy2']);
  });

  it('RE14 learns CIDs from finished downloads and counts failures', async () => {
    const model = { name: 'whisper-base', type: 'stt', version: '1' };
    const [one, two, three] = [
      await oneDownload(database, { model, files: [file('a.bin', { cid: CID })] }),
      await oneDownload(database, { model, files: [file('b.bin')] }),
      await oneDownload(database, { model, files: [file('c.bin', { cid: CID })] }),
    ];
    const events = [finished(one, 1), finished(two, 2), failed(three, 3)];
    await applyEvents(database, [batch(events)], at(5));
    expect(await cidByValue(database, CID)).toMatchObject({
      model: 'whisper-base',
      type: 'stt',
      hash: SHA256,
      gateway: 'https://gateway.example',
      successCount: 2,
      failureCount: 0,
    });
    const again = await oneDownload(database, { files: [file('d.bin', { cid: CID })] });
    await applyEvents(database, [batch([failed(again, 6)])], at(6));
    expect(await cidByValue(database, CID)).toMatchObject({ successCount: 2, failureCount: 1 });
  });

  it('does not learn a CID from bytes that nothing proved', async () => {
    const download = await oneDownload(database);
    await applyEvents(database, [batch([finished(download, 1, { verified: false })])], at(1));
    expect(await cidByValue(database, CID)).toBeUndefined();
  });

  it('knows a token until it expires or is revoked', async () => {
    const short = await createToken(
      database,
      { name: 'ci', hash: 'h1', last4: 'wxyz', scopes: ['downloads:write'], expiresAt: at(10) },
      START,
    );
    const long = await createToken(database, { name: 'admin', hash: 'h2', last4: 'abcd', scopes: [] }, at(1));
    expect(await validToken(database, 'h1', at(9))).toMatchObject({ id: short.id, scopes: ['downloads:write'] });
    expect(await validToken(database, 'h1', at(10))).toBeUndefined();
    expect(await revokeToken(database, long.id, at(2))).toBe(true);
    expect(await revokeToken(database, long.id, at(3))).toBe(false);
    expect(await validToken(database, 'h2', at(3))).toBeUndefined();
    expect((await listTokens(database)).map(({ name }) => name)).toEqual(['admin', 'ci']);
  });

  it('writes the last use of a token at most once a minute', async () => {
    const { id } = await createToken(database, { name: 'ci', hash: 'h', last4: 'wxyz', scopes: [] }, START);
    for (const seconds of [1, 30, 60]) await touchToken(database, id, at(seconds));
    expect(await listTokens(database)).toMatchObject([{ lastUsedAt: at(1) }]);
    await touchToken(database, id, at(62));
    expect(await listTokens(database)).toMatchObject([{ lastUsedAt: at(62) }]);
  });

  it('lists every host that sent an event, by name', async () => {
    for (const [n, host] of ['b', 'a', 'c', 'a'].entries()) await applyEvents(database, [batch([], { host })], at(n));
    expect((await listHosts(database)).map(({ name }) => name)).toEqual(['a', 'b', 'c']);
    expect(await listHosts(database, 1, 'a')).toMatchObject([{ name: 'b', firstSeenAt: at(0) }]);
  });
});
