import { describe, expect, it } from '@jest/globals';
import { obtain } from '#fetch/obtain';
import { silentLogger } from '#core/logger';
import { parseAddressPolicy } from '#http/address/address-policy';
import { createHttp } from '#http/pool';
import { ipfsGateway } from '#sources/gateway/ipfs-gateway';
import { expectNoLeaks } from '../../helpers/leaks.ts';
import { failuresOf, LEAF_BYTES, leafRange, obtaining, PLAIN, rangesOf, testFile } from '../../helpers/obtaining.ts';
import type { Fault } from '../../helpers/origin/origin-fault.ts';
import { QUICK_BUDGETS } from '../../helpers/transfer-kit.ts';

/** The rows of the edge-case table of docs/rules/ipfs.md that are about gateways; those about content are in edge-cases.test.ts. */
expectNoLeaks();
const bench = obtaining();
const file = await testFile();
const LAST = file.table.count - 1;
const cut = 7 * LEAF_BYTES + 5;
const TEXT = Buffer.from('ipld: could not find node');
const withText = Buffer.concat([file.bytes.subarray(0, cut), TEXT, file.bytes.subarray(cut + TEXT.length)]);
const ENDS_EARLY = 3 * LEAF_BYTES + 777;

describe('what a gateway may do to a file', () => {
  it('EC15 right length, wrong bytes: the bad leaf alone comes from another source', async () => {
    const liar = await bench.faulty(file, { do: 'flip', atByte: 3 * LEAF_BYTES });
    const good = await bench.origin(file.served);
    const run = await bench.obtain({ file, gateways: [liar, good] });
    expect(run.result).toMatchObject({ badLeaves: 1, wastedBytes: LEAF_BYTES });
    expect(rangesOf(good)).toEqual([leafRange(file, 3, 3)]);
  });

  it.each<[string, Fault | readonly Fault[], Buffer]>([
    ['the text of an error at the end', [{ do: 'chunked' }, { do: 'cut', afterBytes: cut + TEXT.length }], withText],
    ['padded with zeros', { do: 'zero-tail', fromByte: cut }, file.bytes],
    ['an early close', [{ do: 'no-length' }, { do: 'cut', afterBytes: cut }], file.bytes],
  ])('EC16 %s: the leaves before it are kept, the rest stays missing', async (_, fault, bytes) => {
    const served = { ...file.served, ipfs: { [file.cid]: bytes } };
    const rules = [
      { path: PLAIN, times: 1, fault },
      { path: PLAIN, fault: { do: 'status', status: 410 } },
    ] as const;
    const broken = await bench.origin(served, [], { rules });
    const good = await bench.origin(file.served);
    const run = await bench.obtain({ file, gateways: [broken, good] });
    expect(run.result).toMatchObject({ verified: 'leaves' });
    expect(run.result!.sources[0]).toMatchObject({ bytes: 7 * LEAF_BYTES });
    expect(rangesOf(good)[0]).toMatch(new RegExp(`^bytes=${7 * LEAF_BYTES}-`));
  });

  it.each<[string, Fault, boolean]>([
    ['a 206 that ends early', { do: 'end-short', by: ENDS_EARLY }, true],
    ['a 206 with another start', { do: 'wrong-start', by: 3 }, false],
    ['a 206 with another total', { do: 'wrong-total', total: 5 }, false],
    ['a 206 without Content-Range', { do: 'no-content-range' }, false],
  ])('EC17 %s: what is legal is kept, anything else ends before a byte is taken', async (_, fault, legal) => {
    const odd = await bench.faulty(file, fault, legal ? 1 : Infinity);
    const good = await bench.origin(file.served);
    await bench.interruptedAt(2 * LEAF_BYTES, { file, gateways: [''] });
    const run = await bench.obtain({ file, gateways: [odd, good] });
    expect(run.result).toMatchObject({ verified: 'leaves', wastedBytes: 0, resumedBytes: 2 * LEAF_BYTES });
    expect(run.tries[0]!.bytes).toBe(legal ? file.bytes.length - 2 * LEAF_BYTES - ENDS_EARLY : 0);
  });

  it('EC18 a 200 to a range is used from 0, and elsewhere ends after the headers', async () => {
    const whole = await bench.faulty(file, { do: 'ignore-range' });
    expect((await bench.obtain({ file, gateways: [whole] })).result).toMatchObject({ wastedBytes: 0 });
    const partialPath = `${bench.partialPath}2`;
    await bench.interruptedAt(2 * LEAF_BYTES, { file, gateways: [''], options: { partialPath } });
    const run = await bench.obtain({ file, gateways: [whole], options: { partialPath } });
    expect(run.result).toMatchObject({ wastedBytes: 0, resumedBytes: 2 * LEAF_BYTES });
    expect(run.result!.sources[0]).toMatchObject({ mode: 'blocks' });
  });

  it('EC19 an encoded body is refused and marked', async () => {
    const encoded = await bench.faulty(file, { do: 'gzip' });
    const run = await bench.obtain({ file, gateways: [encoded, await bench.origin(file.served)] });
    expect(failuresOf(run)[0]).toBe('range-refused');
    expect(run.result).toMatchObject({ verified: 'leaves', wastedBytes: 0 });
  });

  it('EC20 a web page instead of bytes rests the gateway, and is no storm of strikes', async () => {
    const page = await bench.faulty(file, { do: 'html' });
    const run = await bench.obtain({ file, gateways: [page, await bench.origin(file.served)] });
    expect(run.result).toMatchObject({ verified: 'leaves', badLeaves: 0, wastedBytes: 0 });
    expect(rangesOf(page)).toHaveLength(1);
  });

  it('EC21 a redirect to where the gateway keeps the CID is followed', async () => {
    const target = await bench.origin(file.served);
    const to = `${target.url}/ipfs/${file.cid}`;
    const moved = await bench.faulty(file, { do: 'redirect', to, status: 301 });
    const run = await bench.obtain({ file, gateways: [moved] });
    expect(run.result).toMatchObject({ verified: 'leaves', outcome: 'primary_success' });
    expect(rangesOf(target).length).toBeGreaterThan(0);
  });

  it.each([
    ['longer than it serves by range', { maxRangeFileBytes: file.bytes.length - 1 }, 'blocks'],
    ['exactly as long as it serves', { maxRangeFileBytes: file.bytes.length }, 'range'],
    ['of a gateway that has blocks only', { blocksOnly: true }, 'blocks'],
  ] as const)('EC24 a file %s is asked for in mode %#', async (_, hints, mode) => {
    const origin = await bench.origin(file.served);
    const http = createHttp({ addressPolicy: parseAddressPolicy(['127.0.0.0/8']) });
    const gateway = { baseUrl: origin.url, hints };
    const source = ipfsGateway({ http, gateway, cid: file.cid, fileName: file.name, trusted: true });
    try {
      const result = await obtain(
        { path: file.name, digests: {}, cid: file.cid, sources: [] },
        {
          ...{ sources: [source], layers: ['ipfs'], strategy: 'ordered', partialPath: bench.partialPath },
          ...{ budgets: QUICK_BUDGETS, digestThread: 'inline', logger: silentLogger },
        },
      );
      expect(result).toMatchObject({ verified: 'leaves', sources: [{ mode, errors: 0 }] });
      expect(rangesOf(origin).length).toBe(mode === 'blocks' ? 0 : 1);
      const blocks = origin.requests.filter(({ path }) => path.includes('format=raw'));
      expect(blocks).toHaveLength(mode === 'blocks' ? 1 + LAST + 1 : 1);
    } finally {
      http.close();
    }
  });
});
