import { describe, expect, it } from '@jest/globals';
import type { SourceError } from '#core/failure';
import { silentLogger } from '#core/logger';
import { huggingface } from '#sources/hub/huggingface';
import { SourceHealth } from '#sources/guards/source-health';
import { collect } from '../collect.ts';
import { BIG, part, startHub } from './hub-bench.ts';

describe('a token whose rate limit is used up', () => {
  const emptyBucket = { do: 'status', status: 429, headers: { ratelimit: '"resolvers";r=0;t=55' } } as const;

  it('F13 asks at once without the token when the token is throttled; its cooldown holds for every file of the hub', async () => {
    const health = new SourceHealth();
    const { hub, http, source } = await startHub({ cdn: undefined }, { health });
    hub.faults.push(emptyBucket);
    const got = await collect(source, part(0, 1000));
    expect(got.error).toBeUndefined();
    expect(got.bytes.equals(BIG.subarray(0, 1000))).toBe(true);
    const file = {
      endpoint: hub.url,
      repo: 'org/m',
      repoType: 'model' as const,
      revision: 'main',
      path: 'config.json',
    };
    const other = huggingface({ http, file, token: 'hf_secret', trusted: true, logger: silentLogger, health });
    expect((await collect(other, {})).error).toBeUndefined();
    const tokens = hub.requests.map(({ headers }) => headers['authorization']);
    expect(tokens).toEqual(['Bearer hf_secret', undefined, undefined]);
    expect(health.waitMs(hub.url)).toBe(0);
  });

  it('F13 uses the token again after its cooldown', async () => {
    let now = 0;
    const { hub, source } = await startHub({ cdn: undefined }, { health: new SourceHealth({ now: () => now }) });
    hub.faults.push({ do: 'status', status: 429, retryAfterS: 30 });
    await collect(source, part(0, 10));
    now = 30_000;
    await collect(source, part(10, 20));
    expect(hub.requests.at(-1)!.headers['authorization']).toBe('Bearer hf_secret');
  });

  it('F13 pauses until the sooner of both resets when requests without the token are throttled too', async () => {
    const { hub, source } = await startHub({}, { health: new SourceHealth({ now: () => 0 }) });
    hub.faults.push(emptyBucket, { do: 'status', status: 429, retryAfterS: 20 });
    expect((await collect(source, part(0, 10))).error).toMatchObject({ kind: 'throttled', retryAfterMs: 20_000 });
    expect(hub.requests).toHaveLength(2);
  });

  it('F13 waits for the token when the file is refused without it, and says so', async () => {
    const { hub, source } = await startHub();
    const isPrivate = { do: 'status', status: 401, headers: { 'x-error-code': 'RepoNotFound' } } as const;
    hub.faults.push(emptyBucket, isPrivate, isPrivate);
    for (const asked of [2, 3]) {
      const { error } = await collect(source, part(0, 10));
      expect(error).toMatchObject({ kind: 'throttled', message: expect.stringContaining('without it the hub') });
      expect((error as SourceError).retryAfterMs).toBeGreaterThan(50_000);
      expect(hub.requests).toHaveLength(asked);
    }
  });

  it('F13 does not throttle the token for a 429 of the content host', async () => {
    const { hub, cdn, source } = await startHub();
    cdn.rules.push({ fault: { do: 'status', status: 429 } });
    expect((await collect(source, part(0, 10))).error).toMatchObject({ kind: 'throttled', httpStatus: 429 });
    expect(hub.requests).toHaveLength(1);
  });
});
