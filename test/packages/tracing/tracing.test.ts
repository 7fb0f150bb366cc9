import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { openTracing } from '#tracing/open-tracing';
import { NO_TRACING } from '#tracing/tracing';
import { startCollector, type Collector } from '../../helpers/collector.ts';

const OTHER = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

describe('traces', () => {
  let collector: Collector;
  beforeEach(async () => {
    collector = await startCollector();
  });
  afterEach(() => collector.close());

  const open = (more: { share?: number; headers?: Record<string, string> } = {}) =>
    openTracing({ endpoint: `${collector.url}/`, headers: {}, share: 1, ...more }, 'a-service', '1.2.3');

  it('are not made, and nothing is loaded, without a collector', async () => {
    const tracing = await openTracing({ endpoint: undefined, headers: {}, share: 1 }, 'a-service', '1.2.3');
    expect(tracing).toBe(NO_TRACING);
    expect(tracing.begin('work', { kind: 'server' })).toBeUndefined();
  });

  it('reach the collector at the end at the latest, with facts, failure, times and the login', async () => {
    const tracing = await open({ headers: { authorization: 'Bearer abc' } });
    const span = tracing.begin('work', { kind: 'consumer', facts: { bytes: 7, left: undefined }, startedAtMs: 1_000 })!;
    span.add({ more: true });
    span.fail('it broke');
    span.end(1_250);
    await tracing.stop();
    await tracing.stop();
    expect(collector.spans).toEqual([
      expect.objectContaining({
        service: 'a-service',
        name: 'work',
        kind: 5,
        status: 2,
        ms: 250,
        parentSpanId: undefined,
      }),
    ]);
    expect(collector.spans[0]!.facts).toEqual({ bytes: 7, more: true });
    expect(collector.authorization()).toBe('Bearer abc');
  });

  it('go on where the traceparent says, and begin anew where it cannot be read', async () => {
    const tracing = await open();
    const first = tracing.begin('first', { kind: 'server', parent: OTHER })!;
    expect(first.traceparent).toMatch(/^00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-01$/);
    const second = tracing.begin('second', { kind: 'client', parent: first.traceparent })!;
    const alone = tracing.begin('alone', { kind: 'client', parent: 'not a traceparent' })!;
    for (const span of [second, first, alone]) span.end();
    await tracing.stop();
    const byName = new Map(collector.spans.map((span) => [span.name, span]));
    expect(byName.get('first')!.parentSpanId).toBe('b7ad6b7169203331');
    expect(byName.get('second')!.parentSpanId).toBe(byName.get('first')!.spanId);
    expect(byName.get('alone')!.traceId).not.toBe(byName.get('first')!.traceId);
  });

  it('are sent in part where only a share is wanted; what began elsewhere decides for itself', async () => {
    const tracing = await open({ share: 0 });
    const own = tracing.begin('own', { kind: 'server' })!;
    const part = tracing.begin('part of own', { kind: 'client', parent: own.traceparent })!;
    const other = tracing.begin('other', { kind: 'server', parent: OTHER })!;
    for (const span of [part, own, other]) span.end();
    await tracing.stop();
    expect(collector.spans.map(({ name }) => name)).toEqual(['other']);
  });

  it('do not hold up the end when the collector is away', async () => {
    const tracing = await open();
    await collector.close();
    tracing.begin('lost', { kind: 'server' })!.end();
    await expect(tracing.stop()).resolves.toBeUndefined();
  });
});
