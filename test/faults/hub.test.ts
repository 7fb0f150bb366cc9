import { describe, expect, it } from '@jest/globals';
import { createHash } from 'node:crypto';
import { silentLogger } from '#core/logger';
import { faultyDisk } from '../helpers/disk/faulty-disk.ts';
import { gitBlobSha1 } from '../helpers/origin/origin-content.ts';
import { SourceHealth } from '#sources/guards/source-health';
import type { Fault, FaultRule } from '../helpers/origin/origin-fault.ts';
import { COMMIT, failuresOf, fileOf, LEAF_BYTES, obtaining, PLAIN, REPO, testFile } from '../helpers/obtaining.ts';
import { expectNoLeaks } from '../helpers/leaks.ts';
import { bytesOf, sha256Of } from '../helpers/transfer-kit.ts';

expectNoLeaks();
const bench = obtaining();
const file = await testFile();
const SIZE = file.bytes.length;
const HALF = 10 * LEAF_BYTES;
const THROTTLED: Fault = { do: 'status', status: 429, headers: { ratelimit: '"resolvers";r=0;t=55' } };

describe('a hub that says little', () => {
  it.each<[string, Record<string, string | null>]>([
    ['F01 no X-Repo-Commit', { 'x-repo-commit': null }],
    ['F02 no ETag', { etag: null, 'x-linked-etag': null }],
    ['F09 an xet hash', { 'x-xet-hash': 'f'.repeat(64) }],
  ])('%s: accepted, the digest decides', async (_, set) => {
    const hub = await bench.faulty(file, { do: 'headers', set });
    const run = await bench.obtain({ file, hub });
    expect(failuresOf(run)).toEqual([]);
    expect(run.result).toMatchObject({ verified: 'digest', outcome: 'secondary_success' });
  });
});

describe('a hub that changes', () => {
  it('F03 stays with the commit it began with when the branch moves', async () => {
    const hub = await bench.faulty(file, { do: 'cut', afterBytes: HALF }, 1);
    const moved = 'dead'.padEnd(40, '0');
    const files = { [file.name]: file.bytes };
    const onTry = (): void => hub.serve({ repos: { [REPO]: { commit: moved, files, revisions: { old: COMMIT } } } });
    const run = await bench.obtain({ file, hub, options: { onTry } });
    expect(hub.requests.map(({ path }) => path.split('/')[4])).toEqual(['main', COMMIT]);
    expect(run.result).toMatchObject({ wastedBytes: 0 });
  });

  it('F05 says that the file is missing and asks the next source', async () => {
    const hub = await bench.origin({ repos: { [REPO]: { commit: COMMIT, files: {} } } });
    const run = await bench.obtain({ file, hub, mirrors: [await bench.origin(file.served)] });
    expect(failuresOf(run)).toEqual(['missing']);
    expect(run.tries[0]?.failure?.message).toMatch(/no such file/);
  });

  it('F06 follows a repository that was renamed', async () => {
    const to = `/acme/renamed/resolve/main/${file.name}`;
    const repos = { 'acme/renamed': { commit: COMMIT, files: { [file.name]: file.bytes } } };
    const rules = [{ path: `/${REPO}/`, fault: { do: 'redirect', to, status: 307 } }] as const;
    const hub = await bench.origin({ repos }, [], { rules });
    expect((await bench.obtain({ file, hub })).result).toBeDefined();
  });

  it.each<[string, object]>([
    ['F10 the LFS digest is not that of the bytes', { digests: { sha256: file.sha256 } }],
    ['F11 a small file known by its git digest was changed', { digests: { git: gitBlobSha1(file.bytes) } }],
    [
      'F11 a file known by its MD5 was changed',
      { digests: { md5: createHash('md5').update(file.bytes).digest('hex') } },
    ],
  ])('%s: found, and the next source asked', async (_, identity) => {
    const [hub, mirror] = [await bench.faulty(file, { do: 'flip', atByte: 99 }), await bench.origin(file.served)];
    const run = await bench.obtain({ file, hub, mirrors: [mirror], identity });
    expect(run.result?.sources[0]).toMatchObject({ bytes: 0, leftBecause: 'it sent corrupt bytes' });
    expect(run.result).toMatchObject({ wastedBytes: SIZE, verified: 'digest' });
  });
});

describe('a hub that refuses', () => {
  it('F12 says before the first byte that a file over 50 GB may be refused', async () => {
    const said: [object, string][] = [];
    const hub = await bench.faulty(file, { do: 'status', status: 403, body: 'use xet' });
    const run = await bench.obtain({
      file,
      hub,
      identity: { sizeBytes: 51e9 },
      options: { fileOperations: faultyDisk({ freeBytes: 1e12 }) },
      logger: { ...silentLogger, warn: (fields, message) => void said.push([fields, message]) },
    });
    expect(said).toEqual([[expect.objectContaining({ sizeBytes: 51e9 }), expect.stringContaining('refuse')]]);
    expect(hub.requests).toHaveLength(1);
    expect(run.error).toMatchObject({ name: 'ExhaustedError', mayPass: false });
    expect(String(run.error)).toMatch(/acme\/model@main.*answered 403/);
  });

  it('F13 continues without the token when only the token is throttled, for this file and the next ones', async () => {
    const rules: FaultRule[] = [{ path: '/resolve/', times: 1, fault: THROTTLED }];
    const hub = await bench.origin(file.served, [], { rules });
    const health = new SourceHealth();
    const run = await bench.obtain({ file, hub, token: 'secret-token', health });
    expect(failuresOf(run)).toEqual([]);
    const options = { partialPath: `${bench.partialPath}2` };
    expect((await bench.obtain({ file, hub, token: 'secret-token', health, options })).result).toBeDefined();
    const tokens = hub.requests.map(({ headers }) => headers['authorization']);
    expect(tokens[0]).toBe('Bearer secret-token');
    expect(new Set(tokens.slice(1))).toEqual(new Set([undefined]));
  });

  it('F13 HT3 pauses only the limit for files when requests without the token are throttled too, and a mirror gives the file', async () => {
    const hub = await bench.origin(file.served, [], { rules: [{ path: '/resolve/', fault: THROTTLED }] });
    const health = new SourceHealth();
    const mirrors = [await bench.origin(file.served)];
    const run = await bench.obtain({ file, hub, mirrors, token: 'secret-token', health });
    expect(failuresOf(run)).toEqual(['throttled']);
    expect(hub.requests).toHaveLength(2);
    expect(health.waitMs(hub.url, 'resolvers')).toBeGreaterThan(50_000);
    expect(health.waitMs(hub.url, 'api')).toBe(0);
  });

  it('F14 continues with other layers when the hub answers 5xx for long, else another attempt may help', async () => {
    const down: Fault = { do: 'status', status: 500 };
    const alone = await bench.faulty(file, down);
    const failed = await bench.obtain({ file, hub: alone });
    expect(alone.requests).toHaveLength(3);
    expect(failed.error).toMatchObject({ name: 'ExhaustedError', mayPass: true });
    const [hub, mirror] = [await bench.faulty(file, down), await bench.origin(file.served)];
    const run = await bench.obtain({ file, hub, mirrors: [mirror] });
    expect(run.result).toMatchObject({ outcome: 'secondary_success' });
  });

  it('takes the sha256 of what it got when it is the only proof there is', async () => {
    const small = await fileOf(bytesOf(5000, 'small'));
    const hub = await bench.origin(small.served, [], { rules: [{ path: PLAIN, fault: { do: 'no-etag' } }] });
    const run = await bench.obtain({ file: small, hub, identity: { sizeBytes: undefined } });
    expect(run.result?.digests.sha256).toBe(sha256Of(small.bytes));
  });
});
