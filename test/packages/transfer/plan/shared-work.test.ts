import { readFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { KIB, MIB } from '#core/units';
import { transfer } from '#transfer/run/transfer';
import type { TransferOptions, TryRecord } from '#transfer/report/transfer-options';
import { fakeSource, type FakeSource } from '../../../helpers/fake-source.ts';
import { bytesOf, tableOf, transferKit } from '../../../helpers/transfer-kit.ts';
import { expectWithin } from '../../../helpers/within.ts';

const LEAF = 256 * KIB;
const bytes = bytesOf(16 * MIB + 777);
const table = tableOf(bytes);
/** The transfer's clock runs faster than the wall's, so that rules that take seconds are seen in a moment. */
const FASTER = 20;
const now = (): number => performance.now() * FASTER;

let kit: Awaited<ReturnType<typeof transferKit>>;
beforeEach(async () => {
  kit = await transferKit();
});
afterEach(() => kit.remove());

async function run(sources: readonly FakeSource[], more: Partial<TransferOptions> = {}) {
  const result = await transfer(kit.options(sources, { table, ...more }));
  expect(bytes.equals(await readFile(kit.partialPath))).toBe(true);
  return result;
}

const startsOf = ({ requests }: FakeSource): number[] =>
  requests.flatMap((request) => ('block' in request || request.range === undefined ? [] : request.range.start));

describe('HT10 the end of a file', () => {
  it('HT10 is fetched from an idle source too when the first one stalls: only the missing part', async () => {
    const stalls = fakeSource(bytes, { name: 'stalls', stallAfterBytes: 3 * LEAF + 1000 });
    const steady = fakeSource(bytes, { name: 'steady', bytesPerSecond: 30 * MIB });
    const result = await run([stalls, steady], { connections: 1, now });
    const [stalled, other] = result.sources;
    expect(stalled).toMatchObject({ bytes: 3 * LEAF, wastedBytes: 1000, errors: 0, leftBecause: undefined });
    expect(other).toMatchObject({ bytes: bytes.length - 3 * LEAF, wastedBytes: 0, errors: 0 });
    expect(startsOf(steady)).toContain(startsOf(stalls)[0]! + 3 * LEAF);
    expect(result.tries.every(({ failure }) => failure === undefined)).toBe(true);
  });

  it('HT10 keeps the bytes that are proven first when both sources continue: each leaf counts once, the other copy is waste', async () => {
    const crawls = fakeSource(bytes, { name: 'crawls', bytesPerSecond: MIB, chunkBytes: 16 * KIB });
    const steady = fakeSource(bytes, { name: 'steady', bytesPerSecond: 30 * MIB });
    const result = await run([crawls, steady], { connections: 1, now });
    const [slow, other] = result.sources;
    expect(slow!.bytes + other!.bytes).toBe(bytes.length);
    expect(slow!.bytes).toBeGreaterThan(0);
    // It was doing one leaf when the other one came past it.
    expect(result.wastedBytes).toBeLessThanOrEqual(2 * LEAF);
    expect(result.tries.every(({ failure }) => failure === undefined)).toBe(true);
  });

  it('HT10 is shared when its last span is long: the far half goes to an idle source', async () => {
    const capabilities = { requestsPerMinute: 1 };
    const first = fakeSource(bytes, { name: 'first', bytesPerSecond: 12 * MIB, capabilities });
    const idle = fakeSource(bytes, { name: 'idle', bytesPerSecond: 12 * MIB });
    const result = await run([first, idle], { connections: 1, now });
    expect(startsOf(first)).toEqual([0]);
    expect(startsOf(idle)[0]).toBeGreaterThan(6 * MIB);
    for (const source of result.sources) expect(source.bytes).toBeGreaterThan(3 * MIB);
    expect(result.wastedBytes).toBeLessThanOrEqual(LEAF);
  });

  it('HT10 is not fetched twice when no source is slow', async () => {
    const sources = ['a', 'b', 'c'].map((name) => fakeSource(bytes, { name, bytesPerSecond: 20 * MIB }));
    expect((await run(sources, { connections: 1 })).wastedBytes).toBe(0);
  });
});

describe('HT5 a source that falls far below its own rate', () => {
  const CHUNK = 16 * KIB;
  /** Sends some of its bytes as usual, then so slowly that the rule sees it, and the rest at once. */
  function fading(name: string, usualBytes = 7.5 * MIB): FakeSource {
    let sent = 0;
    const bytesPerSecond = (): number => {
      sent += CHUNK;
      if (sent < usualBytes) return 5 * MIB;
      return sent < usualBytes + MIB / 2 ? 0.3 * MIB : 40 * MIB;
    };
    return fakeSource(bytes, { name, chunkBytes: CHUNK, bytesPerSecond });
  }
  const tooSlow = ({ failure }: TryRecord): boolean => failure?.kind === 'too-slow';

  it('HT5 is paused when another source can continue, and its bytes stay', async () => {
    const other = fakeSource(bytes, { name: 'other', bytesPerSecond: 1.5 * MIB, chunkBytes: CHUNK });
    const result = await run([fading('fades'), other], { connections: 1, now });
    const left = result.tries.filter(tooSlow);
    expect(left.length).toBeGreaterThan(0);
    expect(new Set(left.map(({ source }) => source))).toEqual(new Set(['fades']));
    expect(left[0]).toMatchObject({ decision: 'retry-same', reason: 'too-slow' });
    expect(result.sources[0]!.bytes).toBeGreaterThan(6 * MIB);
    expect(result.wastedBytes).toBeLessThanOrEqual(4 * LEAF);
  });

  it('HT5 C14 is not paused when no other source can continue: slowness alone is no failure', async () => {
    const result = await run([fading('alone')], { connections: 1, now });
    expect(result.tries.filter(tooSlow)).toEqual([]);
    expect(result.sources[0]).toMatchObject({ bytes: bytes.length, errors: 0 });
  });

  it('C14 continues with both when both have become slow', async () => {
    const result = await run([fading('a', 4 * MIB), fading('b', 4 * MIB)], { connections: 1, now });
    for (const source of result.sources) expect(source).toMatchObject({ leftBecause: undefined });
    expect(result.sources.reduce((sum, source) => sum + source.bytes, 0)).toBe(bytes.length);
  });
});

describe('connections to one source', () => {
  it('become as many as are allowed where each of them is limited', async () => {
    const large = bytesOf(40 * MIB);
    const limited = fakeSource(large, { bytesPerSecond: 5 * MIB });
    const ofOneMs = (large.length / (5 * MIB)) * 1000;
    const result = await expectWithin(ofOneMs / 2, () =>
      transfer(kit.options([limited], { table: tableOf(large), connections: 4 })),
    );
    expect(result.wastedBytes).toBeLessThanOrEqual(3 * LEAF);
    expect(limited.load.most).toBe(4);
  });

  it('never are more than the source tolerates', async () => {
    const shy = fakeSource(bytes, { bytesPerSecond: 8 * MIB, capabilities: { maxConnections: 2 } });
    await run([shy], { connections: 8 });
    expect(shy.load.most).toBe(2);
  });

  it('stay one where the source itself is the limit', async () => {
    let busy = 0;
    /** A pipe of a fixed width that all connections share. */
    const shared = fakeSource(bytes, { chunkBytes: 32 * KIB, bytesPerSecond: () => (10 * MIB) / Math.max(1, busy) });
    const counted: FakeSource = {
      ...shared,
      read: async (...asked) => {
        busy += 1;
        await shared.read(...asked).finally(() => (busy -= 1));
      },
    };
    const result = await run([counted], { connections: 4 });
    expect(shared.load.most).toBeLessThanOrEqual(2);
    expect(result.tries.length).toBeLessThanOrEqual(8);
  });
});

describe('HT8 unproven bytes', () => {
  it('B19 HT8 fail after several restarts of a source that breaks off and cannot continue', async () => {
    const forgets = fakeSource(bytes, { name: 'forgets', cutAfterBytes: 10 * MIB });
    const options = kit.options([forgets], { file: { sizeBytes: bytes.length, digests: {} } });
    await expect(transfer(options)).rejects.toMatchObject({
      name: 'ExhaustedError',
      failures: expect.arrayContaining([
        expect.objectContaining({ kind: 'bad-response', message: expect.stringContaining('broke off 3 times') }),
      ]),
    });
    expect(forgets.requests.length).toBeLessThanOrEqual(8);
  });

  it('HT8 are continued after any number of interruptions when a validator shows their version', async () => {
    const keeps = fakeSource(bytes, { cutAfterBytes: MIB, etag: '"one"' });
    const result = await transfer(kit.options([keeps], { file: { sizeBytes: bytes.length, digests: {} } }));
    expect(bytes.equals(await readFile(kit.partialPath))).toBe(true);
    expect(result.sources[0]!.errors).toBeGreaterThan(10);
  });
});
