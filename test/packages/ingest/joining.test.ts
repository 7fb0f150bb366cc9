import { describe, expect, it } from '@jest/globals';
import { refuseShortFiles } from '#ingest/draft';
import { mapConcurrently } from '#core/async/map-concurrently';
import { retrying } from '#fetch/retrying';
import { withCids } from '#ingest/draft';
import { SourceError } from '#core/failure';
import { DEFAULT_BUDGETS } from '#core/policy';

const hub = {
  version: 'c0ffee',
  files: [
    { path: 'config.json', sizeBytes: 7, sha256: 'aa' },
    { path: 'onnx/encoder.onnx', sizeBytes: 900, sha256: 'bb' },
  ],
};
const ipfs = (files: { path: string; sizeBytes: number; sha256?: string; cid: string }[]) => ({
  ...{ version: 'bafyfolder', cid: 'bafyfolder', files },
});

describe('withCids', () => {
  it('adds the CID to each file whose path is in the folder, and names the others', () => {
    const { draft, unmatched } = withCids(hub, ipfs([{ path: 'onnx/encoder.onnx', sizeBytes: 900, cid: 'bafyenc' }]));
    expect(draft).toMatchObject({ version: 'c0ffee', cid: 'bafyfolder' });
    expect(draft.files.map(({ cid }) => cid)).toEqual([undefined, 'bafyenc']);
    expect(unmatched).toEqual(['config.json']);
  });

  it('refuses a folder with other bytes under the same path', () => {
    const other = ipfs([{ path: 'onnx/encoder.onnx', sizeBytes: 901, cid: 'bafyenc' }]);
    expect(() => withCids(hub, other)).toThrow('sizeBytes is 900 at the hub and 901 in the folder');
    const same = ipfs([{ path: 'config.json', sizeBytes: 7, sha256: 'zz', cid: 'bafycfg' }]);
    expect(() => withCids(hub, same)).toThrow(
      '"config.json" differs between hub and IPFS folder bafyfolder: sha256 is',
    );
  });

  it('refuses a folder that shares no path', () => {
    expect(() => withCids(hub, ipfs([{ path: 'm/x', sizeBytes: 1, cid: 'b' }]))).toThrow('it has for example "m/x"');
  });
});

describe('refuseShortFiles', () => {
  it('VE7 holds each glob against the files it matches', () => {
    expect(() => refuseShortFiles(hub, { 'onnx/*': 900, '*.json': 1 })).not.toThrow();
    expect(() => refuseShortFiles(hub, { 'onnx/encoder*': 901 })).toThrow('has 900 bytes and must have at least 901');
    expect(() => refuseShortFiles(hub, { 'onnx/decoder*': 1 })).toThrow('no file matches "onnx/decoder*"');
  });
});

describe('mapConcurrently', () => {
  it('keeps the order and the limit', async () => {
    let running = 0;
    let most = 0;
    const doubled = await mapConcurrently([5, 1, 4, 2, 3], 2, async (value) => {
      most = Math.max(most, (running += 1));
      await new Promise((resolve) => setImmediate(resolve));
      running -= 1;
      return value * 2;
    });
    expect(doubled).toEqual([10, 2, 8, 4, 6]);
    expect(most).toBe(2);
  });

  it('starts no more work after a failure, and waits for the running work', async () => {
    const begun: number[] = [];
    const ended = mapConcurrently([1, 2, 3, 4, 5], 2, async (value) => {
      begun.push(value);
      await new Promise((resolve) => setImmediate(resolve));
      if (value === 1) throw new Error('first');
    });
    await expect(ended).rejects.toThrow('first');
    expect(begun.length).toBeLessThan(5);
  });
});

describe('retrying', () => {
  const budget = { ...DEFAULT_BUDGETS.origin, backoffBaseMs: 1, backoffMaxMs: 1 };
  const signal = new AbortController().signal;
  const failing = (kind: 'server-error' | 'missing', times: number) => {
    let calls = 0;
    const ask = async (): Promise<number> => {
      calls += 1;
      if (calls <= times) throw new SourceError(kind, 'hub', 'no');
      return calls;
    };
    return { ask, calls: () => calls };
  };

  it('repeats a request after a temporary failure, within the budget', async () => {
    await expect(retrying(failing('server-error', 2).ask, { budget, signal })).resolves.toBe(3);
    const never = failing('server-error', 9);
    await expect(retrying(never.ask, { budget, signal })).rejects.toThrow('no');
    expect(never.calls()).toBe(budget.triesPerSource);
  });

  it('does not ask again what cannot pass', async () => {
    const gone = failing('missing', 9);
    await expect(retrying(gone.ask, { budget, signal })).rejects.toThrow('no');
    expect(gone.calls()).toBe(1);
  });
});
