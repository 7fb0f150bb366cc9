import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { OriginPause } from '#core/origin-pause';
import { PAUSE_MS } from '#core/swarm/lease-time';
import { MINUTE_MS } from '#core/units';
import { shareOriginPauses } from '#queue/swarm/origin-pauses';
import { type TestRedis, testRedis } from '../../../helpers/redis.ts';
import { until } from '../../../helpers/until.ts';

const HUB = 'https://hub.example';
const MIRROR = 'https://mirror.example:8443';

describe('pauses of origins in Redis', () => {
  let test: TestRedis;

  beforeEach(() => {
    test = testRedis();
  });
  afterEach(() => test.cleanup());

  const share = (...asked: OriginPause[]) => shareOriginPauses(test.redis, test.settings.prefix, asked);

  it('L16 are told to every host, the longest first, with the rate limit that they are about', async () => {
    await share({ origin: HUB, bucket: 'resolvers of a token', ms: MINUTE_MS }, { origin: MIRROR, ms: 2 * MINUTE_MS });
    const told = await share();
    expect(told.map(({ ms: _, ...pause }) => pause)).toEqual([
      { origin: MIRROR },
      { origin: HUB, bucket: 'resolvers of a token' },
    ]);
    expect(told[1]!.ms).toBeGreaterThan(MINUTE_MS / 2);
    expect(told[1]!.ms).toBeLessThanOrEqual(MINUTE_MS);
  });

  it('L16 are never shortened, and none is longer than five minutes', async () => {
    await share({ origin: HUB, ms: 2 * MINUTE_MS }, { origin: MIRROR, ms: 60 * MINUTE_MS });
    const told = await share({ origin: HUB, ms: 1000 });
    expect(told.find(({ origin }) => origin === HUB)!.ms).toBeGreaterThan(MINUTE_MS);
    expect(told.find(({ origin }) => origin === MIRROR)!.ms).toBeLessThanOrEqual(PAUSE_MS);
  });

  it('L16 end by themselves', async () => {
    expect(await share({ origin: HUB, ms: 200 })).toHaveLength(1);
    await until(async () => (await share()).length === 0, { what: 'the pause ended' });
  });

  it('L16 are bounded: those that end last stay', async () => {
    const many = Array.from({ length: 100 }, (_, n) => ({ origin: `https://h${n}.example`, ms: MINUTE_MS + n * 1000 }));
    const told = await share(...many);
    expect(told).toHaveLength(64);
    expect(told[0]!.origin).toBe('https://h99.example');
  });
});
