import { randomUUID } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import type { WorkerEvent } from '#contracts/worker/worker-events';
import { EventBuffer } from '#queue/events/event-buffer';
import { fitEvent } from '#queue/events/fit-event';

const base = { downloadId: randomUUID(), generation: 1, at: 1 };

const progress = (downloadId: string, committedBytes: number): WorkerEvent => ({
  ...base,
  type: 'download.progress',
  downloadId,
  committedBytes,
  totalBytes: null,
  bytesPerSecond: 0,
  source: null,
  retries: 0,
});

const started = (attempt: number): WorkerEvent => ({ ...base, type: 'download.started', attempt, resumedBytes: 0 });

const failed = (message: string): WorkerEvent => ({
  ...base,
  type: 'download.failed',
  outcome: null,
  errorKind: 'x',
  message,
  committedBytes: 0,
  sources: [],
});

const tried = (sequence: number, errorMessage: string | null = null): WorkerEvent => ({
  ...base,
  type: 'try.finished',
  attempt: 1,
  sequence,
  layer: 'ipfs',
  kind: 'ipfs-gateway',
  source: 'gateway',
  status: 'failure',
  latencyMs: 1,
  bytes: 0,
  errorKind: 'timed-out',
  errorMessage,
  reason: null,
});

describe('event buffer', () => {
  it('keeps the order and replaces only progress of the same download', () => {
    const buffer = new EventBuffer(10);
    const [a, b] = [randomUUID(), randomUUID()];
    for (const event of [progress(a, 1), progress(b, 1), started(1), progress(a, 2)]) buffer.add(event);
    expect(buffer.take(10).events).toEqual([progress(b, 1), started(1), progress(a, 2)]);
  });

  it('drops progress first, then tries, and the end of a download last', () => {
    const buffer = new EventBuffer(3);
    const dropped = [
      progress(randomUUID(), 1),
      failed('one'),
      tried(1),
      started(1),
      failed('two'),
      failed('three'),
    ].map((event) => buffer.add(event));
    expect(dropped).toEqual([0, 0, 0, 1, 1, 1]);
    expect(buffer.take(10).events).toEqual([failed('one'), failed('two'), failed('three')]);
  });

  it('drops the oldest event among those of equal rank', () => {
    const buffer = new EventBuffer(2);
    for (const message of ['one', 'two', 'three']) buffer.add(failed(message));
    expect(buffer.take(10).events).toEqual([failed('two'), failed('three')]);
  });

  it('takes events in portions and returns the last position', () => {
    const buffer = new EventBuffer(10);
    for (const attempt of [1, 2, 3]) buffer.add(started(attempt));
    expect(buffer.take(2)).toEqual({ events: [started(1), started(2)], position: 2 });
    expect(buffer.take(2)).toEqual({ events: [started(3)], position: buffer.lastPosition });
    expect(buffer.size).toBe(0);
  });
});

describe('fitting an event to its contract', () => {
  it('cuts a text that is too long instead of losing the batch', () => {
    const fitted = fitEvent(tried(1, 'x'.repeat(2_000)));
    expect(fitted).toMatchObject({ errorMessage: 'x'.repeat(500) });
  });

  it('keeps a valid event as it is', () => {
    expect(fitEvent(started(1))).toEqual(started(1));
  });

  it('names the field of an event that is wrong in another way', () => {
    expect(() => fitEvent(started(0))).toThrow('a download.started event breaks its contract at attempt');
  });
});
