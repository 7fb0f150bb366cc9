import { beforeEach, describe, expect, it } from '@jest/globals';
import { SourceError } from '#core/failure';
import { MINUTE_MS } from '#core/units';
import { keepingPauses } from '#sources/guards/keeping-pauses';
import { SourceHealth } from '#sources/guards/source-health';

const HUB = { origin: 'https://hub.example', name: 'hub.example', bucket: 'api' };

describe('a request for something other than a file', () => {
  let health: SourceHealth;
  let asked: number;

  beforeEach(() => {
    [health, asked] = [new SourceHealth({ now: () => 0 }), 0];
  });

  const ask = (error?: SourceError) =>
    keepingPauses(health, HUB, async () => {
      asked += 1;
      if (error !== undefined) throw error;
      return 'answer';
    });

  it('L16 makes a pause that holds for files too, and that other hosts are told of', async () => {
    const busy = new SourceError('throttled', HUB.name, 'answered 429', { httpStatus: 429, retryAfterMs: MINUTE_MS });
    await expect(ask(busy)).rejects.toBe(busy);
    expect(() => health.admit(HUB.origin, 'a file')).toThrow('is paused, because of "answered 429" (throttled)');
    expect(health.asked.list()).toEqual([{ origin: HUB.origin, bucket: undefined, ms: MINUTE_MS }]);
  });

  it('L16 is not sent while the server is paused, for whatever request; the pause of another rate limit does not count', async () => {
    health.coolDown(HUB.origin, MINUTE_MS, 'resolvers');
    expect(await ask()).toBe('answer');
    health.coolDown(HUB.origin, MINUTE_MS);
    await expect(ask()).rejects.toMatchObject({ kind: 'throttled', retryAfterMs: MINUTE_MS });
    expect(asked).toBe(1);
  });

  it('M13 is not sent to a server that an operator disabled', async () => {
    health.setDisabled([{ origin: HUB.origin, note: 'too slow', forMs: undefined }]);
    await expect(ask()).rejects.toThrow('was disabled by an operator: too slow');
    expect(asked).toBe(0);
  });

  it('says nothing of files when it fails', async () => {
    for (let times = 0; times < 10; times += 1)
      await expect(ask(new SourceError('server-error', HUB.name, 'answered 504'))).rejects.toThrow('answered 504');
    health.admit(HUB.origin, 'a file');
    expect(health.of(HUB.origin)).toMatchObject({ state: 'closed', waitMs: 0 });
  });
});
