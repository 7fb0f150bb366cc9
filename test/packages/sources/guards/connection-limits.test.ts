import { describe, expect, it } from '@jest/globals';
import { SourceError, type SourceFailureKind } from '#core/failure';
import type { Source } from '#core/source';
import { MINUTE_MS } from '#core/units';
import { LONGEST_RELEARN_MS, RELEARN_MS } from '#sources/guards/connection-limits';
import { learningLimits } from '#sources/guards/learning-limits';
import { limited, OriginGates } from '#sources/guards/limited';
import { SourceHealth } from '#sources/guards/source-health';
import { withHealth } from '#sources/guards/with-health';

const never = new AbortController().signal;
const sink = { head: () => undefined, write: () => undefined };
const ORIGIN = 'http://o';

interface Refusal {
  readonly kind?: SourceFailureKind;
  readonly status?: number;
  readonly retryAfterMs?: number;
  readonly namesReason?: boolean;
}

/** An origin whose reads run until they are told to end, and that refuses those beyond its limit. */
function originOf(limit: number, refusal: Refusal = {}) {
  const state = { limit, now: 0, busy: 0, asked: 0 };
  const gates = new OriginGates(() => state.now);
  const health = new SourceHealth({ now: () => state.now });
  const ends: (() => void)[] = [];
  const source = (name = 'file', limitOf = (): number => state.limit): Source => {
    const raw: Source = {
      name,
      kind: 'mirror',
      layer: 'origin',
      origin: ORIGIN,
      capabilities: () => ({ range: true, blocks: false, maxConnections: 8 }),
      read: async (_request, to) => {
        state.asked += 1;
        await Promise.resolve();
        if (state.busy >= limitOf()) throw refused(name, refusal);
        state.busy += 1;
        to.head({ start: 0, end: 1, totalBytes: 1, validator: undefined });
        await new Promise<void>((resolve) => ends.push(resolve));
        state.busy -= 1;
      },
    };
    return limited(gates)(withHealth(health, () => state.now)(learningLimits(gates.limits)(raw)));
  };
  const read = (one: Source): Promise<unknown> =>
    one.read({}, sink, never).then(
      () => 'served',
      (error: unknown) => error,
    );
  return { state, gates, health, source, read, endOne: () => ends.shift()?.() };
}

const refused = (name: string, { kind = 'forbidden', status = 403, ...more }: Refusal): SourceError =>
  new SourceError(kind, name, `answered ${status}`, { httpStatus: status, ...more });

const turns = async (): Promise<void> => {
  for (let n = 0; n < 20; n += 1) await Promise.resolve();
};

/** The origin with one read under way and a second one refused. */
async function withOneServed(refusal: Refusal = {}, limit = 1) {
  const origin = originOf(limit, refusal);
  const source = origin.source();
  const first = Array.from({ length: limit }, () => origin.read(source));
  await turns();
  return { ...origin, one: source, first, error: await origin.read(source) };
}

describe('a limit of connections', () => {
  it.each<Refusal>([
    { kind: 'forbidden', status: 403 },
    { kind: 'bad-response', status: 421 },
    { kind: 'throttled', status: 429 },
    { kind: 'throttled', status: 503 },
    { kind: 'throttled', status: 429, retryAfterMs: 5000 },
    { kind: 'server-error', status: 508 },
    { kind: 'server-error', status: 509 },
    { kind: 'unreachable' },
    { kind: 'timed-out' },
  ])(
    'A40 is learnt from %j while another read is served, and the health of the origin does not change',
    async (refusal) => {
      const { error, one, health, gates } = await withOneServed(refusal);
      expect(error).toMatchObject({ kind: 'throttled', connectionLimit: 1, cause: { kind: refusal.kind } });
      expect((error as SourceError).retryAfterMs).toBeUndefined();
      expect(one.capabilities().maxConnections).toBe(1);
      expect(gates.limits.of(ORIGIN)).toBe(1);
      expect(health.of(ORIGIN)).toMatchObject({ state: 'closed', waitMs: 0, successRate: undefined });
    },
  );

  it.each<Refusal>([
    { kind: 'throttled', status: 429, retryAfterMs: 5000, namesReason: true },
    { kind: 'forbidden', status: 401 },
    { kind: 'missing', status: 404 },
    { kind: 'range-refused', status: 416 },
    { kind: 'bad-response', status: 200 },
  ])('A40 is not seen in %j, which has another reason', async (refusal) => {
    const { error, one } = await withOneServed(refusal);
    expect(error).toMatchObject({ kind: refusal.kind, connectionLimit: undefined });
    expect(one.capabilities().maxConnections).toBe(8);
  });

  it('A40 is not seen where nothing is served: a 403 to all stays final', async () => {
    const origin = originOf(0);
    const errors = await Promise.all([1, 2, 3].map((n) => origin.read(origin.source(`file ${n}`))));
    expect(errors).toEqual(Array(3).fill(expect.objectContaining({ kind: 'forbidden', connectionLimit: undefined })));
  });

  it('A40 is seen when the refusal is answered before the first of the others is served', async () => {
    const origin = originOf(1);
    const late = origin.gates.limits.begin(ORIGIN, 'late', 'read');
    origin.state.limit = 0;
    const answer = origin.read(origin.source());
    await turns();
    late.served();
    expect(await answer).toMatchObject({ connectionLimit: 1 });
    late.end(false);
  });

  it('A40 holds for all sources of the origin: reads beyond it wait for a place', async () => {
    const { state, source, read, endOne, first } = await withOneServed({}, 2);
    const other = read(source('other file'));
    await turns();
    expect(state.asked).toBe(3);
    endOne();
    await turns();
    expect(state.asked).toBe(4);
    endOne();
    endOne();
    expect(await Promise.all([...first, other])).toEqual(['served', 'served', 'served']);
  });

  it('A40 is tested with one more after a while, later each time it is refused, and follows what is served', async () => {
    const { state, one, gates, read } = await withOneServed();
    for (let afterMs = RELEARN_MS; afterMs <= LONGEST_RELEARN_MS; afterMs *= 2) {
      state.now += afterMs - 1;
      expect(gates.limits.of(ORIGIN)).toBe(1);
      state.now += 1;
      expect(gates.limits.of(ORIGIN)).toBe(2);
      expect(await read(one)).toMatchObject({ connectionLimit: 1 });
    }
    state.limit = 3;
    state.now += LONGEST_RELEARN_MS;
    void read(one);
    await turns();
    expect(gates.limits.of(ORIGIN)).toBe(2);
    state.now += RELEARN_MS;
    void read(one);
    await turns();
    expect(gates.limits.of(ORIGIN)).toBe(3);
  });

  it('A40 is not tested again before the Retry-After of the refusal', async () => {
    const { state, gates } = await withOneServed({ kind: 'throttled', status: 503, retryAfterMs: 5 * MINUTE_MS });
    state.now += 5 * MINUTE_MS - 1;
    expect(gates.limits.of(ORIGIN)).toBe(1);
    state.now += 1;
    expect(gates.limits.of(ORIGIN)).toBe(2);
  });

  it('A40 is forgotten when one file is refused with fewer others than were served at once', async () => {
    const { state, source, read, gates, endOne } = await withOneServed({}, 2);
    // The limit stays that of the origin while another file alone is refused.
    const forbidden = source('forbidden', () => 0);
    const waiting = read(forbidden);
    endOne();
    await turns();
    state.now += 2000;
    expect(await waiting).toMatchObject({ connectionLimit: 2 });
    expect(await read(forbidden)).toMatchObject({ kind: 'forbidden', connectionLimit: undefined });
    expect(gates.limits.of(ORIGIN)).toBe(2);
  });

  it('A40 that only a forbidden file seemed to show is forgotten with it', async () => {
    const origin = originOf(8);
    const good = origin.source('good');
    void origin.read(good);
    void origin.read(good);
    await turns();
    const forbidden = origin.source('forbidden', () => 0);
    expect(await origin.read(forbidden)).toMatchObject({ connectionLimit: 2 });
    const again = origin.read(forbidden);
    origin.endOne();
    await turns();
    origin.state.now += 2000;
    await again;
    expect(await origin.read(forbidden)).toMatchObject({ kind: 'forbidden', connectionLimit: undefined });
    expect(origin.gates.limits.of(ORIGIN)).toBe(Infinity);
  });

  it('A40 a connection that has just ended may still be counted', async () => {
    const { state, one, read, endOne, first } = await withOneServed();
    endOne();
    await first[0];
    state.limit = 0;
    expect(await read(one)).toMatchObject({ connectionLimit: 1 });
    state.now += 2000;
    expect(await read(one)).toMatchObject({ kind: 'forbidden', connectionLimit: undefined });
  });

  it('A40 of blocks is what runs beside the refused one while others come', async () => {
    let now = 0;
    const gates = new OriginGates(() => now);
    let busy = 0;
    const ends: (() => void)[] = [];
    const raw: Source = {
      name: 'gateway',
      kind: 'ipfs-gateway',
      layer: 'ipfs',
      origin: ORIGIN,
      capabilities: () => ({ range: true, blocks: true, maxConnections: 8 }),
      read: () => Promise.resolve(),
      readBlock: async () => {
        await Promise.resolve();
        if (busy >= 3) throw refused('gateway', { kind: 'throttled', status: 503 });
        busy += 1;
        await new Promise<void>((resolve) => ends.push(resolve));
        busy -= 1;
        return new Uint8Array(1);
      },
    };
    const source = limited(gates)(learningLimits(gates.limits)(raw));
    const block = (): Promise<unknown> => source.readBlock!('cid', 10, never).catch((error: unknown) => error);
    const first = block();
    await turns();
    ends.shift()!();
    await first;
    now += 500;
    const blocks = [block(), block(), block(), block()];
    expect(await blocks[3]).toMatchObject({ connectionLimit: 3 });
    expect(source.capabilities().maxConnections).toBe(3);
    for (const end of ends) end();
    await Promise.all(blocks);
  });
});
