import { randomUUID } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { EventBatch, WorkerEvent } from '#contracts/worker/worker-events';
import { fitEvent } from '#queue/events/fit-event';

const tried = (more: object = {}) =>
  ({
    type: 'try.finished',
    downloadId: randomUUID(),
    generation: 1,
    at: 1,
    attempt: 1,
    sequence: 0,
    layer: 'huggingface',
    kind: 'mirror',
    source: 'mirror.example',
    status: 'failure',
    latencyMs: 1,
    bytes: 0,
    errorKind: 'bad-response',
    errorMessage: 'it sent HTML',
    reason: null,
    ...more,
  }) as TryFinished;
type TryFinished = Extract<WorkerEvent, { type: 'try.finished' }>;

describe('M01 text that a source chose', () => {
  it.each([
    ['a NUL, which Postgres cannot store', 'evil\u0000name', 'evil name'],
    ['line breaks, which would forge a line', 'a\r\nhaulier_tries 1', 'a  haulier_tries 1'],
    ['characters that turn the text around', 'gpj.\u202eexe', 'gpj. exe'],
    ['half of a character', 'half \ud800 of it', 'half   of it'],
  ])('lose %s', (_what, source, cleaned) => {
    const parsed = WorkerEvent.parse(tried({ source, errorMessage: source })) as TryFinished;
    expect([parsed.source, parsed.errorMessage]).toEqual([cleaned, cleaned]);
  });

  it('keep every letter of the world', () => {
    const source = 'зеркало.example/模型/😀';
    expect((WorkerEvent.parse(tried({ source })) as TryFinished).source).toBe(source);
  });

  it('are cut by the worker, and refused by the recorder when they are too long', () => {
    const long = tried({ source: 'x'.repeat(201), errorMessage: 'y'.repeat(501) });
    const fitted = fitEvent(long) as TryFinished;
    expect([fitted.source.length, fitted.errorMessage?.length]).toEqual([200, 500]);
    const batch = { version: 1, host: null, bootId: randomUUID(), sequence: 0, sentAt: 1, events: [long] };
    expect(EventBatch.safeParse(batch).success).toBe(false);
    expect(EventBatch.safeParse({ ...batch, events: [fitted] }).success).toBe(true);
  });

  it('may be no layer and no kind of source that does not exist', () => {
    expect(WorkerEvent.safeParse(tried({ layer: 'carrier-pigeon' })).success).toBe(false);
    expect(WorkerEvent.safeParse(tried({ kind: 'pigeon' })).success).toBe(false);
  });
});
