import { describe, expect, it } from '@jest/globals';
import type { Fault } from '../helpers/origin/origin-fault.ts';
import { expectNoLeaks } from '../helpers/leaks.ts';
import { failuresOf, LEAF_BYTES, obtaining, testFile } from '../helpers/obtaining.ts';

expectNoLeaks();
const bench = obtaining();
const file = await testFile();
const HALF = 10 * LEAF_BYTES;
const REST = `bytes=${HALF}-${file.bytes.length - 1}`;

const REFUSALS: [string, Fault][] = [
  ['A09 HR14 last before first', { do: 'last-before-first' }],
  ['A10 HR15 multipart/byteranges', { do: 'multipart' }],
  ['A13 416 to a range inside the file', { do: 'range-not-satisfiable' }],
  ['A41 400', { do: 'status', status: 400 }],
  ['A41 405', { do: 'status', status: 405 }],
  ['A41 406', { do: 'status', status: 406 }],
  ['A41 501', { do: 'status', status: 501 }],
];

describe.each(REFUSALS)('a range answered with %s', (_, fault) => {
  it('by the only source: the file is read as a whole', async () => {
    await bench.interruptedAt(HALF, { file, mirrors: [''] });
    const only = await bench.faulty(file, fault, 1);
    const run = await bench.obtain({ file, mirrors: [only] });
    expect(only.requests.map(({ headers }) => headers['range'])).toEqual([REST, undefined]);
    expect(run.result).toMatchObject({ verified: 'digest', resumedBytes: HALF });
  });

  it('by one of two: the other one continues', async () => {
    await bench.interruptedAt(HALF, { file, mirrors: [''] });
    const [bad, good] = [await bench.faulty(file, fault), await bench.origin(file.served)];
    const run = await bench.obtain({ file, mirrors: [bad, good] });
    expect(failuresOf(run)).toEqual(['range-refused']);
    expect(run.result).toMatchObject({ resumedBytes: HALF, wastedBytes: 0 });
    expect(run.result?.sources[0]).toMatchObject({ mode: 'stream', bytes: 0 });
  });
});
