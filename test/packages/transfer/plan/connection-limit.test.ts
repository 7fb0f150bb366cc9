import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { SourceError } from '#core/failure';
import type { Source } from '#core/source';
import { MIB } from '#core/units';
import { learningLimits } from '#sources/guards/learning-limits';
import { limited, OriginGates } from '#sources/guards/limited';
import { afterConnectionLimit, originAnswer, rampConnections } from '#transfer/plan/connections';
import { pieceGrid } from '#transfer/plan/grid';
import { SourceState } from '#transfer/run/source-state';
import { SpanBoard } from '#transfer/plan/span-board';
import { transfer } from '#transfer/run/transfer';
import type { TryRecord } from '#transfer/report/transfer-options';
import { fakeSource, type FakeSource } from '../../../helpers/fake-source.ts';
import { bytesOf, sha256Of, transferKit } from '../../../helpers/transfer-kit.ts';

const refused = (connectionLimit: number): SourceError =>
  new SourceError('throttled', 'o', 'answered 503', {
    cause: new SourceError('throttled', 'o', 'answered 503', { httpStatus: 503 }),
    connectionLimit,
  });

describe('a source whose origin refused one connection too many', () => {
  it('A40 keeps its other connections, without a pause', () => {
    const state = new SourceState(fakeSource(new Uint8Array(1)), 0, '', 0);
    state.connections = 2;
    state.allowedConnections = 4;
    expect(afterConnectionLimit(state, refused(2), 0)).toMatchObject({ do: 'retry-same', afterMs: 0 });
    expect(state).toMatchObject({
      allowedConnections: 2,
      isRamped: true,
      pausedUntil: 0,
      failuresInARow: 0,
      errors: 0,
    });
  });

  it('A40 is asked again five times without a connection, and then the refusal counts as a failure of its own kind', () => {
    const state = new SourceState(fakeSource(new Uint8Array(1)), 0, '', 0);
    const pauses = Array.from({ length: 6 }, () => {
      const decision = afterConnectionLimit(state, refused(1), 0);
      return decision?.do === 'retry-same' ? decision.afterMs : undefined;
    });
    expect(pauses).toEqual([100, 200, 400, 800, 1600, undefined]);
    expect(originAnswer(refused(1))).toMatchObject({ httpStatus: 503, connectionLimit: undefined });
  });

  it('A40 tries more connections again when the origin is due for a test', () => {
    let most = 1;
    const source = fakeSource(new Uint8Array(1));
    const state = new SourceState(
      { ...source, capabilities: () => ({ ...source.capabilities(), maxConnections: most }) },
      0,
      '',
      0,
    );
    state.connections = 1;
    afterConnectionLimit(state, refused(1), 0);
    const connectionsAt = (now: number): number => {
      state.meter.add(MIB, now);
      rampConnections(state, now, 4);
      rampConnections(state, now + 200, 4);
      return state.allowedConnections;
    };
    expect(connectionsAt(60_000)).toBe(1);
    most = 2;
    expect(connectionsAt(61_000)).toBe(2);
  });
});

describe('the half of a span that fetched nothing', () => {
  it('A40 returns to the response from which it was taken', () => {
    const board = new SpanBoard(pieceGrid(16, 1));
    const whole = board.claim(0, Infinity)!;
    const half = board.split(whole, 0, 1)!;
    expect([whole.end, half.first]).toEqual([8, 8]);
    board.release(half);
    expect([whole.end, board.freeBytes]).toEqual([16, 0]);
  });

  it('A40 is free when that response has moved on, or the half fetched something', () => {
    const board = new SpanBoard(pieceGrid(16, 1));
    const whole = board.claim(0, Infinity)!;
    const half = board.split(whole, 0, 1)!;
    board.writing(8);
    half.next = 9;
    board.release(half);
    expect([whole.end, board.freeBytes]).toEqual([8, 7]);
    const rest = board.split(whole, 0, 1)!;
    board.release(whole);
    board.release(rest);
    expect(board.freeBytes).toBe(15);
  });
});

describe('a transfer from an origin that serves one connection', () => {
  let kit: Awaited<ReturnType<typeof transferKit>>;
  beforeEach(async () => {
    kit = await transferKit();
  });
  afterEach(() => kit.remove());
  const bytes = bytesOf(24 * MIB);

  const fetched = async (source: FakeSource) => {
    const gates = new OriginGates();
    const tries: TryRecord[] = [];
    const wrapped: Source = limited(gates)(learningLimits(gates.limits)(source));
    const file = { sizeBytes: bytes.length, digests: { sha256: sha256Of(bytes) } };
    const options = kit.options([wrapped], { file, onTry: (record) => void tries.push(record) });
    return { result: await transfer(options), tries };
  };

  it.each(['forbidden', 'throttled', 'unreachable'] as const)(
    'A40 takes every byte once over the first connection when a second is refused as %s',
    async (kind) => {
      const source: FakeSource = fakeSource(bytes, {
        bytesPerSecond: 16 * MIB,
        failRead: () => {
          const httpStatus = kind === 'forbidden' ? 403 : undefined;
          return source.load.now > 1 ? new SourceError(kind, 'fake', 'one too many', { httpStatus }) : null;
        },
      });
      const { result, tries } = await fetched(source);
      expect(result).toMatchObject({ verified: 'digest', wastedBytes: 0 });
      expect(tries.filter(({ failure }) => failure).map(({ reason }) => reason)).toEqual(['it serves 1 at once']);
      expect(result.sources[0]).toMatchObject({ errors: 0, leftBecause: undefined });
    },
  );
});

describe('a server that answers one connection after the other', () => {
  it('A40 does not wait for an answer that comes only when the first connection is closed', async () => {
    const kit = await transferKit();
    try {
      const bytes = bytesOf(40 * MIB);
      let [open, busy] = [0, 0];
      const waiting: (() => void)[] = [];
      const source = fakeSource(bytes, { bytesPerSecond: 16 * MIB });
      // The first connection stays open between its requests; the others are answered after it, so never.
      const queueing: Source = {
        ...source,
        read: async (request, sink, signal) => {
          if (busy > 0) {
            open += 1;
            await new Promise<void>((resolve) => {
              waiting.push(resolve);
              signal.addEventListener('abort', () => resolve(), { once: true });
            });
            throw new SourceError('aborted', 'fake', 'stopped by us');
          }
          busy += 1;
          await source.read(request, sink, signal).finally(() => (busy -= 1));
        },
      };
      const file = { sizeBytes: bytes.length, digests: { sha256: sha256Of(bytes) } };
      const result = await transfer(kit.options([queueing], { file }));
      expect(open).toBeGreaterThan(0);
      expect(result).toMatchObject({ verified: 'digest' });
      expect(result.sources[0]).toMatchObject({ errors: 0 });
    } finally {
      await kit.remove();
    }
  });
});
