import { expect, it } from '@jest/globals';
import { seededRandom } from '../../bench/soak/random.ts';
import type { Fault } from '../helpers/origin/origin-fault.ts';
import { expectNoLeaks } from '../helpers/leaks.ts';
import { LEAF_BYTES, obtaining, testFile } from '../helpers/obtaining.ts';

expectNoLeaks();
const bench = obtaining();
const file = await testFile();
const SIZE = file.bytes.length;

/** A fault of one response, drawn by chance; half of them none. */
function anyFault(random: () => number): Fault {
  const at = Math.floor(random() * SIZE);
  const faults: Fault[] = [
    { do: 'cut', afterBytes: at },
    { do: 'reset', afterBytes: at },
    { do: 'flip', atByte: at },
    { do: 'zero-tail', fromByte: at },
    { do: 'end-short', by: 1 },
    { do: 'status', status: [404, 416, 429, 500, 503, 501][Math.floor(random() * 6)]! },
    { do: 'ignore-range' },
    { do: 'no-content-range' },
    { do: 'wrong-start', by: 1 },
    { do: 'html' },
    { do: 'gzip' },
    { do: 'empty' },
    { do: 'other-bytes' },
    { do: 'chunked' },
    { do: 'endless' },
    { do: 'stall', afterBytes: at },
  ];
  return random() < 0.5 ? { do: 'none' } : faults[Math.floor(random() * faults.length)]!;
}

it.each(Array.from({ length: 16 }, (_, seed) => seed + 1))(
  'HR6 RE15 ends, and with the right bytes or none, whatever four sources do (seed %i)',
  async (seed) => {
    const random = seededRandom(seed);
    const liesOf = (): Fault[] => Array.from({ length: 12 }, () => anyFault(random));
    const origins = [];
    for (let i = 0; i < 4; i += 1) origins.push(await bench.origin(file.served, liesOf()));
    const [a, b, hub, mirror] = origins;
    const options = { strategy: random() < 0.5 ? 'parallel' : 'ordered', connections: 2 } as const;
    const byLeaves = random() < 0.6 ? { gateways: [a!, b!] } : {};
    const request = { file, hub: hub!, mirrors: [mirror!], timeouts: { stallMs: 60, headersMs: 120 }, options };
    const runs = [await bench.obtain({ ...request, ...byLeaves }), await bench.obtain({ ...request, ...byLeaves })];
    for (const { result, error } of runs)
      if (result === undefined) expect(['ExhaustedError', 'VerifyError']).toContain((error as Error).name);
    const last = await bench.obtain({ ...request, ...byLeaves, mirrors: [await bench.origin(file.served)] });
    if (last.error !== undefined) expect(last.error).toMatchObject({ name: 'VerifyError', kind: 'leaf-unobtainable' });
    expect(last.result?.sizeBytes ?? LEAF_BYTES).toBeGreaterThan(0);
  },
);
