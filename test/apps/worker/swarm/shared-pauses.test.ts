import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { UnreachableError } from '#client/api-error';
import type { AnnounceInput, Announced } from '#contracts/swarm';
import { SourceError } from '#core/failure';
import { silentLogger } from '#core/logger';
import { MINUTE_MS, SECOND_MS } from '#core/units';
import { SourceHealth } from '#sources/guards/source-health';
import { SharedPauses } from '../../../../apps/worker/swarm/shared-pauses.ts';
import { TrackerClient } from '../../../../apps/worker/swarm/tracker-client.ts';

const HUB = 'https://hub.example';
const API = 'https://api.example';

const asked = (retryAfterMs: number, bucket?: string): SourceError =>
  new SourceError('throttled', 'hub', 'too many requests', { httpStatus: 429, retryAfterMs, bucket });

describe('the pauses of origins that a host shares', () => {
  it('L16 are those of servers that other hosts ask too', () => {
    const health = new SourceHealth();
    for (const origin of [HUB, 'http://127.0.0.1:9000', 'http://[::1]:9000', 'file'])
      health.asked.note(origin, asked(MINUTE_MS));
    health.asked.note('https://soon.example', asked(SECOND_MS));
    // An announce that the API refuses would end the swarm for this host.
    health.asked.note('https://odd.example', asked(MINUTE_MS, 'b'.repeat(101)));
    const origins = (apiUrl: string) =>
      new SharedPauses(health, apiUrl, silentLogger).own.map(({ origin }) => origin).sort();
    expect(origins(API)).toEqual([HUB]);
    // All hosts are on one machine.
    expect(origins('http://127.0.0.1:7420')).toEqual(['http://127.0.0.1:9000', 'http://[::1]:9000', HUB]);
  });

  it('L16 hold here as if the origin had asked this host, for five minutes at most, and are not told again', () => {
    const health = new SourceHealth({ now: () => 0 });
    const pauses = new SharedPauses(health, API, silentLogger);
    pauses.keep([{ origin: HUB, ms: 60 * MINUTE_MS }]);
    expect(health.waitMs(HUB)).toBe(5 * MINUTE_MS);
    expect(() => health.admit(HUB, 'hub')).toThrow(
      'is paused, because of "it asked another host of the fleet for a pause"',
    );
    pauses.keep([{ origin: HUB, ms: SECOND_MS }]);
    expect(health.waitMs(HUB)).toBe(5 * MINUTE_MS);
    expect(pauses.own).toEqual([]);
  });

  it('L16 of one rate limit leave the others', () => {
    const health = new SourceHealth({ now: () => 0 });
    new SharedPauses(health, API, silentLogger).keep([{ origin: HUB, bucket: 'api', ms: MINUTE_MS }]);
    expect([health.waitMs(HUB, 'api'), health.waitMs(HUB, 'resolvers')]).toEqual([MINUTE_MS, 0]);
  });
});

describe('a tracker client of a host that an origin asks for a pause', () => {
  let announced: AnnounceInput[];
  let answer: () => Announced;
  let health: SourceHealth;
  let tracker: TrackerClient;
  const pass = (ms: number): Promise<void> => jest.advanceTimersByTimeAsync(ms);
  const answered = (originPauses?: Announced['originPauses']): Announced => ({
    ...{ intervalMs: 2000, site: '', token: null, tokenEndsInMs: 0, files: [], originPauses },
  });

  beforeEach(() => {
    jest.useFakeTimers();
    [announced, answer, health] = [[], () => answered(), new SourceHealth()];
    const client = {
      announce: async (body: AnnounceInput) => {
        announced.push(body);
        return answer();
      },
      getSwarmKey: async () => ({ publicKey: 'key' }),
    };
    const pauses = new SharedPauses(health, API, silentLogger);
    tracker = new TrackerClient({ client, host: 'host-a', boot: 'boot-1', pauses, logger: silentLogger });
    tracker.start([]);
  });
  afterEach(async () => {
    await tracker.stop();
    jest.useRealTimers();
  });

  it('L16 tells it soon, also while it fetches nothing any more, and once', async () => {
    health.asked.note('https://soon.example', asked(SECOND_MS));
    await pass(5000);
    expect(announced).toEqual([]);
    health.asked.note(HUB, asked(MINUTE_MS));
    await pass(300);
    expect(announced).toEqual([expect.objectContaining({ files: [], isFetching: false })]);
    expect(announced[0]!.originPauses).toEqual([{ origin: HUB, bucket: undefined, ms: expect.any(Number) }]);
    await pass(10_000);
    expect(announced).toHaveLength(1);
  });

  it('L16 tells it again when the API did not hear it', async () => {
    answer = () => {
      throw new UnreachableError(API, 'refused');
    };
    health.asked.note(HUB, asked(MINUTE_MS));
    await pass(300);
    answer = () => answered();
    await pass(5000);
    expect(announced.map(({ originPauses }) => originPauses)).toEqual([
      [expect.objectContaining({ origin: HUB })],
      [expect.objectContaining({ origin: HUB })],
    ]);
  });

  it('L16 keeps the pauses that the answer names', async () => {
    answer = () => answered([{ origin: HUB, ms: MINUTE_MS }]);
    const { end } = tracker.fetches();
    await pass(300);
    expect(health.waitMs(HUB)).toBeGreaterThan(50 * SECOND_MS);
    end();
  });

  describe('and that fetches a file without announcing it', () => {
    /** @returns milliseconds until the file may be fetched; undefined: later than that */
    const begins = async (withinMs: number): Promise<number | undefined> => {
      let atMs: number | undefined;
      const startedAt = performance.now();
      const { mayBegin } = tracker.fetches();
      void mayBegin.then(() => (atMs = performance.now() - startedAt));
      await pass(withinMs);
      return atMs;
    };

    it('L16 learns the pauses before its first request', async () => {
      answer = () => answered([{ origin: HUB, ms: MINUTE_MS }]);
      let waitMs = 0;
      const { mayBegin } = tracker.fetches();
      void mayBegin.then(() => (waitMs = health.waitMs(HUB)));
      await pass(300);
      expect(waitMs).toBeGreaterThan(50 * SECOND_MS);
    });

    it('L16 waits for an answer that tells pauses, once for files that begin at about the same time', async () => {
      answer = () => answered(undefined);
      expect(await begins(1000)).toBeUndefined();
      answer = () => answered([]);
      await pass(2000);
      expect(await begins(0)).toBe(0);
    });

    it('L28 begins at once while the API is away, and soon where it is slow', async () => {
      answer = () => {
        throw new UnreachableError(API, 'refused');
      };
      expect(await begins(100)).toBeLessThan(100);
      expect(await begins(0)).toBe(0);
    });
  });
});
