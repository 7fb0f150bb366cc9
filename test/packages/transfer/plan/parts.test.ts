import { readFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { leafCid, wrapLeaf } from '#content/leaf/leaf-block';
import { SourceError } from '#core/failure';
import { KIB } from '#core/units';
import { nodeFileOperations, type FileOperations } from '#transfer/disk/file-operations';
import { transfer } from '#transfer/run/transfer';
import { fakeSource, type FakeSource } from '../../../helpers/fake-source.ts';
import { bytesOf, tableOf, transferKit } from '../../../helpers/transfer-kit.ts';

const LEAF = 256 * KIB;
const LEAVES = 64;
const bytes = bytesOf(LEAVES * LEAF);
const table = tableOf(bytes);
const unitOf = new Map(Array.from({ length: LEAVES }, (_, unit) => [leafCid(table, unit)!, unit]));

let kit: Awaited<ReturnType<typeof transferKit>>;
beforeEach(async () => {
  kit = await transferKit();
});
afterEach(() => kit.remove());

/** A gateway that holds only these leaves: any range lacks something, and each block is there or not. */
const gatewayOf = (holds: (unit: number) => boolean, name = 'parts'): FakeSource =>
  fakeSource(bytes, {
    name,
    kind: 'ipfs-gateway',
    failRead: () => new SourceError('missing', name, 'answered 404', { httpStatus: 404 }),
    blocks: (cid) => {
      const unit = unitOf.get(cid)!;
      return holds(unit)
        ? Buffer.from(wrapLeaf(table, unit, bytes.subarray(unit * LEAF, (unit + 1) * LEAF))!)
        : undefined;
    },
  });

interface Gate {
  readonly opened: Promise<void>;
  readonly open: () => void;
}

function gate(): Gate {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open };
}

/** The source answers only once the gate is open. @param onHeld told when its bytes have to wait for the disk */
const after = ({ opened }: Gate, source: FakeSource, onHeld: () => void = () => undefined): FakeSource => ({
  ...source,
  async read(request, sink, signal) {
    if (source.readBlock === undefined) await opened;
    const write = (chunk: Uint8Array): void | Promise<void> => {
      const held = sink.write(chunk);
      if (held !== undefined) onHeld();
      return held;
    };
    await source.read(request, { head: (head) => sink.head(head), write }, signal);
  },
  ...(source.readBlock && {
    readBlock: (...asked) => opened.then(() => source.readBlock!(...asked)),
  }),
});

const asksTwice =
  (source: FakeSource, onSecond: () => void): FakeSource['read'] =>
  (...asked) => {
    if (source.requests.length === 1) onSecond();
    return source.read(...asked);
  };

function diskThatStopsAfter(most: number, { opened }: Gate, onStop: () => void): FileOperations {
  let written = 0;
  return {
    ...nodeFileOperations,
    openPrivate: async (path) => {
      const file = await nodeFileOperations.openPrivate(path);
      const write = async (chunk: Uint8Array, position: number): Promise<number> => {
        if (written >= most) await opened;
        const count = await file.write(chunk, position);
        written += count;
        if (written >= most) onStop();
        return count;
      };
      return { ...file, write };
    },
  };
}

const blocksAsked = ({ requests }: FakeSource): number => requests.filter((request) => 'block' in request).length;

describe('E16 a gateway that holds only parts of a file', () => {
  it.each<[string, (unit: number) => boolean]>([
    ['the first half', (unit) => unit < 32],
    ['the second half', (unit) => unit >= 32],
    ['a piece in the middle', (unit) => unit >= 24 && unit < 44],
    ['every third leaf', (unit) => unit % 3 === 0],
    ['all but a long hole', (unit) => unit < 9 || unit >= 50],
    ['all but its first leaf', (unit) => unit > 0],
    ['all but its last leaf', (unit) => unit < LEAVES - 1],
  ])('gives most of %s, and others the rest', async (_, holds) => {
    const held = Array.from({ length: LEAVES }, (__, unit) => unit).filter(holds);
    const half = gate();
    let given = 0;
    const parts = gatewayOf((unit) => {
      if (holds(unit) && (given += 1) >= held.length / 2) half.open();
      return holds(unit);
    });
    // The hub is slower: how much each of two quick sources gives is chance.
    const hub = after(half, fakeSource(bytes, { name: 'hub' }));
    const result = await transfer(kit.options([parts, hub], { table }));
    expect(bytes.equals(await readFile(kit.partialPath))).toBe(true);
    expect(result.sources[0]).toMatchObject({ source: 'parts', mode: 'blocks', wastedBytes: 0, badLeaves: 0 });
    expect(result.sources[0]!.bytes).toBeGreaterThanOrEqual((held.length * LEAF) / 2);
    expect(result.sources[0]!.bytes + result.sources[1]!.bytes).toBe(bytes.length);
    expect(result.wastedBytes).toBe(0);
  });

  it.each<[string, (unit: number) => boolean]>([
    ['halves', (unit) => unit < 32],
    ['a middle and two ends', (unit) => unit >= 24 && unit < 44],
    ['thirds', (unit) => unit % 3 === 0],
  ])(
    'completes a file with another one that holds the other parts, when both are all there is: %s',
    async (_, holds) => {
      const [one, other] = [gatewayOf(holds, 'one'), gatewayOf((unit) => !holds(unit), 'other')];
      const result = await transfer(kit.options([one, other], { table }));
      expect(bytes.equals(await readFile(kit.partialPath))).toBe(true);
      const held = Array.from({ length: LEAVES }, (__, unit) => unit).filter(holds).length;
      expect(result.sources.map((source) => source.bytes)).toEqual([held * LEAF, (LEAVES - held) * LEAF]);
      expect(result.wastedBytes).toBe(0);
    },
  );

  it('fetches nothing that others are fetching, also while it waits for the disk', async () => {
    const gates = { disk: gate(), full: gate(), quick: gate() };
    /** The quick source's quarter of the file goes to the disk, and then nothing until more is requested. */
    const fileOperations = diskThatStopsAfter(bytes.length / 4, gates.disk, gates.quick.open);
    const parts = after(
      gates.full,
      gatewayOf(() => false),
    );
    const late = after(gates.disk, fakeSource(bytes, { name: 'late' }));
    const filling = after(gates.quick, fakeSource(bytes, { name: 'filling' }), gates.full.open);
    const quick = fakeSource(bytes, { name: 'quick' });
    const idle = fakeSource(bytes, { name: 'idle' });
    const sources = [parts, late, filling, { ...quick, read: asksTwice(quick, gates.disk.open) }, idle];
    const options = kit.options(sources, { table, strategy: 'parallel', connections: 4, fileOperations });
    const result = await transfer({ ...options, now: () => performance.now() / 10 });
    expect(bytes.equals(await readFile(kit.partialPath))).toBe(true);
    expect(late.requests).toEqual([expect.objectContaining({ range: { start: 16 * LEAF, end: 32 * LEAF } })]);
    expect([quick.requests.length, idle.requests.length]).toEqual([2, 0]);
    expect(result.wastedBytes).toBe(0);
  });

  it('gets few requests when it has nothing, and is then named in the error', async () => {
    const nothing = gatewayOf(() => false);
    const result = await transfer(kit.options([nothing, fakeSource(bytes, { name: 'hub' })], { table }));
    expect(nothing.requests.length).toBeLessThanOrEqual(1 + 4 * 4);
    expect(result.sources[0]).toMatchObject({ bytes: 0, leftBecause: 'missing' });
  });

  it('gets few requests for a long hole while others fill it', async () => {
    const parts = gatewayOf((unit) => unit < 4);
    const others = fakeSource(bytes, { name: 'other', kind: 'ipfs-gateway' });
    const result = await transfer(kit.options([parts, others], { table, connections: 1 }));
    expect(bytes.equals(await readFile(kit.partialPath))).toBe(true);
    expect(blocksAsked(parts)).toBeLessThan(24);
    expect(result.wastedBytes).toBe(0);
  });

  it('is named in the error when no other source has the missing blocks, and its bytes are kept', async () => {
    const parts = gatewayOf((unit) => unit !== 40);
    await expect(transfer(kit.options([parts], { table }))).rejects.toMatchObject({
      name: 'ExhaustedError',
      failures: [{ source: 'parts', kind: 'missing' }],
    });
    const later = await transfer(kit.options([fakeSource(bytes, { name: 'hub' })], { table }));
    expect(later.resumedBytes).toBe((LEAVES - 1) * LEAF);
  });

  it.each([410, 451, 403])('is not asked for blocks after a %i, which refuses the whole file', async (httpStatus) => {
    const denies = {
      ...gatewayOf(() => true),
      read: () => Promise.reject(new SourceError('missing', 'denies', `answered ${httpStatus}`, { httpStatus })),
    };
    const result = await transfer(kit.options([denies, fakeSource(bytes, { name: 'hub' })], { table }));
    expect(blocksAsked(denies)).toBe(0);
    expect(result.sources[0]).toMatchObject({ bytes: 0, leftBecause: 'missing' });
  });
});
