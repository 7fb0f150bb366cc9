import { describe, expect, it } from '@jest/globals';
import { SourceError } from '#core/failure';
import type { Source } from '#core/source';
import { SourceHealth } from '#sources/guards/source-health';
import { withHealth } from '#sources/guards/with-health';
import { collect } from '../collect.ts';
import { failure, scripted } from './scripted.ts';

const thrownBy = (work: () => void): unknown => {
  try {
    work();
    return undefined;
  } catch (error) {
    return error;
  }
};

describe('the health of an origin', () => {
  it('ME5 gets no request while an operator has it disabled, for a reason that time may heal', async () => {
    let now = 0;
    const health = new SourceHealth({ now: () => now });
    const source = withHealth(health)(scripted([10, 10]));
    health.setDisabled([{ origin: 'http://o', note: 'it sends rubbish', forMs: 90_000 }]);
    expect((await collect(source, {})).error).toMatchObject({
      kind: 'throttled',
      message: expect.stringContaining('was disabled by an operator: it sends rubbish'),
      retryAfterMs: 90_000,
    });
    expect(health.of('http://o')).toMatchObject({ state: 'open', waitMs: 90_000, successRate: undefined });
    now = 90_000;
    expect((await collect(source, {})).error).toBeUndefined();
    health.setDisabled([{ origin: 'http://o', note: 'for good', forMs: undefined }]);
    now = 1e12;
    // Longer than a transfer waits for a source, so that it goes on with the others at once.
    expect((await collect(source, {})).error).toMatchObject({ retryAfterMs: 600_000 });
    health.setDisabled([]);
    expect((await collect(source, {})).error).toBeUndefined();
  });

  it('ME4 tells once for each request when its first byte came', async () => {
    let now = 0;
    const told: [string, number][] = [];
    const slow: Source = {
      ...scripted([10]),
      read: async (request, sink, signal) => {
        now += 40;
        await scripted([10]).read(request, sink, signal);
        now += 5;
      },
    };
    const source = withHealth(
      new SourceHealth(),
      () => now,
      ({ name }, ms) => told.push([name, ms]),
    )(slow);
    await collect(source, {});
    await collect(source, {});
    expect(told).toEqual([
      [slow.name, 40],
      [slow.name, 40],
    ]);
  });

  it('opens after failures in a row, lets one probe through after the cooldown, and closes again', async () => {
    let now = 0;
    const health = new SourceHealth({ now: () => now, failuresToOpen: 2, cooldownMs: 100 });
    const source = withHealth(health)(
      scripted([failure('unreachable'), failure('timed-out'), failure('unreachable'), 10]),
    );
    await collect(source, {});
    expect(health.of('http://o').state).toBe('closed');
    await collect(source, {});
    expect(health.of('http://o')).toMatchObject({ state: 'open', waitMs: 100 });
    expect((await collect(source, {})).error).toMatchObject({
      kind: 'unreachable',
      message: expect.stringContaining('is paused'),
    });
    now = 100;
    expect(health.of('http://o').state).toBe('half-open');
    await collect(source, {});
    expect(health.of('http://o')).toMatchObject({ state: 'open', waitMs: 200 });
    now = 300;
    expect((await collect(source, {})).error).toBeUndefined();
    expect(health.of('http://o').state).toBe('closed');
  });

  it('F42 names the first failure while it pauses a source, whatever came after', () => {
    let now = 0;
    const health = new SourceHealth({ now: () => now, failuresToOpen: 2, cooldownMs: 100 });
    const refused = { kind: 'unreachable', message: 'connect ECONNREFUSED 192.0.2.1:443' } as const;
    health.failed('o', refused);
    health.failed('o', { kind: 'timed-out', message: 'no byte for 30 s' });
    const pause = expect.objectContaining({
      kind: 'unreachable',
      reasonKind: 'unreachable',
      message: 'is paused after 2 failures in a row, the first: "connect ECONNREFUSED 192.0.2.1:443" (unreachable)',
    });
    expect(thrownBy(() => health.admit('o', 's'))).toEqual(pause);
    now = 100;
    health.admit('o', 's');
    health.succeeded('o');
    expect(thrownBy(() => health.admit('o', 's'))).toBeUndefined();
  });

  it('F42 a pause counts as the failure that it goes back to', () => {
    const health = new SourceHealth({ now: () => 0 });
    health.failed('o', { kind: 'digest-mismatch', message: 'wrong bytes', retryAfterMs: 1000 });
    expect(thrownBy(() => health.admit('o', 's'))).toMatchObject({
      kind: 'throttled',
      reasonKind: 'digest-mismatch',
      message: 'is paused, because of "wrong bytes" (digest-mismatch)',
    });
  });

  it('lets only one probe through at a time', () => {
    let now = 0;
    const health = new SourceHealth({ now: () => now, failuresToOpen: 1, cooldownMs: 10 });
    health.failed('o', { kind: 'unreachable' });
    now = 10;
    health.admit('o', 's');
    expect(() => health.admit('o', 's')).toThrow(/is paused/);
    health.failed('o', { kind: 'aborted' });
    health.admit('o', 's');
  });

  it('A28 HT2 pauses every transfer for as long as the origin asked, also when other requests succeed meanwhile', async () => {
    let now = 0;
    const health = new SourceHealth({ now: () => now });
    const one = withHealth(health)(scripted([failure('throttled', 5000)]));
    const other = withHealth(health)(scripted([]));
    await collect(one, {});
    health.succeeded('http://o');
    expect((await collect(other, {})).error).toMatchObject({ kind: 'throttled', retryAfterMs: 5000 });
    now = 5000;
    expect((await collect(other, {})).error).toBeUndefined();
  });

  it('A33 HT3 pauses only requests of the bucket that the origin named, and those of unknown buckets', async () => {
    let now = 0;
    const health = new SourceHealth({ now: () => now });
    const wrap = (script: (Error | number)[], bucket: string | undefined): Source =>
      withHealth(health)({ ...scripted(script), bucket });
    const empty = new SourceError('throttled', 'scripted', '429', { retryAfterMs: 5000, bucket: 'resolvers' });
    await collect(wrap([empty], 'resolvers'), {});
    expect((await collect(wrap([], 'api'), {})).error).toBeUndefined();
    const waits = { kind: 'throttled', retryAfterMs: 5000 };
    expect((await collect(wrap([], 'resolvers'), {})).error).toMatchObject(waits);
    expect((await collect(wrap([], undefined), {})).error).toMatchObject(waits);
    now = 5000;
    expect((await collect(wrap([], 'resolvers'), {})).error).toBeUndefined();
  });

  it('HT3 pauses the whole origin when it names no bucket', async () => {
    const health = new SourceHealth({ now: () => 0 });
    await collect(withHealth(health)({ ...scripted([failure('throttled', 5000)]), bucket: 'api' }), {});
    const other = withHealth(health)({ ...scripted([]), bucket: 'resolvers' });
    expect((await collect(other, {})).error).toMatchObject({ retryAfterMs: 5000 });
  });

  it('A28 HT2 keeps the longer of two cooldowns, and the breaker does not shorten it', async () => {
    let now = 0;
    const health = new SourceHealth({ now: () => now, failuresToOpen: 1, cooldownMs: 10 });
    for (const ms of [5000, 100]) await collect(withHealth(health)(scripted([failure('throttled', ms)])), {});
    health.failed('http://o', { kind: 'unreachable' });
    now = 200;
    expect(health.of('http://o')).toMatchObject({ state: 'open', waitMs: 4800 });
  });

  it('L16 tells pauses that the origin asked for from those that this process makes by itself', () => {
    const health = new SourceHealth({ now: () => 0 });
    health.coolDown('a', 5000, undefined, { kind: 'throttled', message: 'answered 429' });
    health.coolDown('b', 5000, undefined, { kind: 'bad-response', message: 'a web page' });
    expect(['a', 'b', 'c'].map((origin) => [health.waitMs(origin), health.pauseMs(origin)])).toEqual([
      [5000, 5000],
      [5000, 0],
      [0, 0],
    ]);
  });

  it('keeps a bounded number of origins: evicts the least recently asked, and those in a cooldown last', () => {
    let now = 0;
    const health = new SourceHealth({ now: () => now, mostOrigins: 100 });
    health.coolDown('http://resting', 60_000);
    for (let n = 0; n < 1000; n += 1) health.succeeded(`http://o${n}`);
    expect(health.snapshot()).toHaveLength(100);
    expect(health.waitMs('http://resting')).toBe(60_000);
    expect(health.snapshot().map(({ origin }) => origin)).toContain('http://o999');
    now = 60_000;
    for (let n = 0; n < 100; n += 1) health.coolDown(`http://paused${n}`, 1000);
    expect(health.snapshot().map(({ origin }) => origin)).not.toContain('http://resting');
    for (let n = 0; n < 100; n += 1) health.coolDown(`http://more${n}`, 1000);
    expect(health.snapshot()).toHaveLength(100);
  });

  it('reports no measurements for an origin that was never asked, and stores no record of it', () => {
    const health = new SourceHealth();
    expect(health.of('http://o')).toMatchObject({ state: 'closed', successRate: undefined, bytesPerSecond: undefined });
    expect(health.snapshot()).toEqual([]);
  });

  it('does not blame an origin for one missing file or for our own stop', () => {
    const health = new SourceHealth({ failuresToOpen: 1 });
    for (const kind of ['missing', 'forbidden', 'size-mismatch', 'digest-mismatch', 'aborted'] as const)
      health.failed('o', { kind });
    expect(health.of('o').state).toBe('closed');
  });

  it('learns success rate and speed', async () => {
    let now = 0;
    const health = new SourceHealth({ now: () => now });
    const slow: Source = {
      ...scripted([]),
      read: async (_request, sink) => {
        sink.head({ start: 0, end: 100, totalBytes: 100, validator: undefined });
        now += 1000;
        await sink.write(new Uint8Array(100));
      },
    };
    await collect(withHealth(health, () => now)(slow), {});
    expect(health.snapshot()).toEqual([
      { origin: 'http://o', state: 'closed', waitMs: 0, successRate: 1, bytesPerSecond: 100 },
    ]);
    health.failed('http://o', { kind: 'timed-out' });
    expect(health.of('http://o').successRate).toBeCloseTo(0.8);
  });
});
