import { describe, expect, it } from '@jest/globals';
import { blockFetcher, type BlockFetcher } from '#fetch/block-fetcher';
import type { BlockRequest } from '#content/dag/verified-blocks';
import { ExhaustedError, SourceError, type SourceFailureKind } from '#core/failure';
import { DEFAULT_BUDGETS } from '#core/policy';
import type { Source } from '#core/source';

const TRUE_BYTES = Uint8Array.of(1, 2, 3);
const LIE = Uint8Array.of(9, 9, 9);
const BUDGETS = { ...DEFAULT_BUDGETS, ipfs: { ...DEFAULT_BUDGETS.ipfs, backoffBaseMs: 1, backoffMaxMs: 2 } };

type Answer = Uint8Array | SourceFailureKind | { readonly waitMs: number };

/** A source of blocks that gives its answers in turn, the last one for ever. */
function blockSource(name: string, ...answers: Answer[]): Source & { readonly asked: string[] } {
  const asked: string[] = [];
  return {
    ...{ name, kind: 'ipfs-gateway', layer: 'ipfs', origin: `http://${name}`, asked },
    capabilities: () => ({ range: true, blocks: true, maxConnections: 1 }),
    read: () => Promise.reject(new Error('not asked for here')),
    async readBlock(cid) {
      const answer = answers[Math.min(asked.push(cid), answers.length) - 1]!;
      if (answer instanceof Uint8Array) return answer;
      if (typeof answer === 'string') throw new SourceError(answer, name, answer);
      throw new SourceError('throttled', name, 'busy', { retryAfterMs: answer.waitMs });
    },
  };
}

const fetcherOf = (...sources: Source[]): BlockFetcher =>
  blockFetcher(sources, { budgets: BUDGETS, now: () => performance.now(), random: () => 0.5 });

const isTrue = (bytes: Uint8Array): boolean => Buffer.compare(bytes, TRUE_BYTES) === 0;
const request = (signal = new AbortController().signal): BlockRequest => ({
  ...{ maxBytes: 100, signal, attempt: 1, verify: isTrue },
});

describe('blockFetcher', () => {
  it('begins each call at the next source, so that all share the work', async () => {
    const [a, b] = [blockSource('a', TRUE_BYTES), blockSource('b', TRUE_BYTES)];
    const { fetchBlock } = fetcherOf(a, b);
    for (const cid of ['1', '2', '3', '4']) await fetchBlock(cid, request());
    expect([a.asked, b.asked]).toEqual([
      ['1', '3'],
      ['2', '4'],
    ]);
  });

  it('B01 asks the next source after a wrong block, and after three wrong blocks never the same source again', async () => {
    const [liar, honest] = [blockSource('liar', LIE), blockSource('honest', TRUE_BYTES)];
    const { fetchBlock, mainSource } = fetcherOf(liar, honest);
    for (let call = 0; call < 10; call += 1) expect(await fetchBlock(`${call}`, request())).toEqual(TRUE_BYTES);
    expect(liar.asked).toHaveLength(3);
    expect(mainSource()?.name).toBe('honest');
  });

  it('asks a source that does not have one block for the next one', async () => {
    const [poor, rich] = [blockSource('poor', 'missing', TRUE_BYTES), blockSource('rich', TRUE_BYTES)];
    const { fetchBlock } = fetcherOf(poor, rich);
    await fetchBlock('1', request());
    await fetchBlock('2', request());
    await fetchBlock('3', request());
    expect(poor.asked).toEqual(['1', '3']);
  });

  it('waits for the only source that is left, as long as its Retry-After', async () => {
    const busy = blockSource('busy', { waitMs: 30 }, TRUE_BYTES);
    const startedAt = performance.now();
    expect(await fetcherOf(busy).fetchBlock('1', request())).toEqual(TRUE_BYTES);
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(29);
  });

  it('lets a source rest while another one is there', async () => {
    const [busy, free] = [blockSource('busy', { waitMs: 60_000 }), blockSource('free', TRUE_BYTES)];
    const { fetchBlock } = fetcherOf(busy, free);
    for (let call = 0; call < 6; call += 1) await fetchBlock(`${call}`, request());
    expect(busy.asked).toHaveLength(1);
  });

  it('forgives failures once a block came, and gives a source up after too many in a row', async () => {
    const shaky = blockSource('shaky', 'server-error', 'server-error', TRUE_BYTES, 'server-error', TRUE_BYTES);
    const { fetchBlock } = fetcherOf(shaky);
    await fetchBlock('1', request());
    await fetchBlock('2', request());
    await expect(fetcherOf(blockSource('down', 'server-error')).fetchBlock('1', request())).rejects.toThrow(
      'no source could give block 1: down: server-error (3 times)',
    );
  });

  it('CH7 names every source and its failure when no source is left', async () => {
    const { fetchBlock } = fetcherOf(blockSource('liar', LIE), blockSource('gone', 'missing'));
    const error = await fetchBlock('b', request()).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ExhaustedError);
    expect((error as ExhaustedError).failures.map(({ source, kind }) => [source, kind])).toEqual([
      ['liar', 'digest-mismatch'],
      ['gone', 'missing'],
    ]);
    expect((error as ExhaustedError).mayPass).toBe(false);
  });

  it('E15 fails without sources, and with sources that have no blocks', async () => {
    const mirror: Source = { ...blockSource('mirror'), readBlock: undefined };
    for (const { fetchBlock } of [fetcherOf(), fetcherOf(mirror)])
      await expect(fetchBlock('b', request())).rejects.toThrow('no source is configured for it');
  });

  it('ends with the reason of the signal, also while it waits', async () => {
    const stop = new AbortController();
    const ended = fetcherOf(blockSource('busy', { waitMs: 60_000 })).fetchBlock('1', request(stop.signal));
    stop.abort(new Error('enough'));
    await expect(ended).rejects.toThrow(/enough|aborted/);
  });
});
