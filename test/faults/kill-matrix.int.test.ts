import { fileURLToPath } from 'node:url';
import { expect, it } from '@jest/globals';
import { killMatrix, type Proof } from '../../bench/soak/kill.ts';
import { expectNoLeaks } from '../helpers/leaks.ts';

expectNoLeaks();
const childPath = fileURLToPath(new URL('../../dist/bench/soak/fetch-child.js', import.meta.url));

it.each<[Proof, number]>([
  ['cid', 0],
  ['sha256', 4],
])(
  'H04 H01 RE15 a child that fetches by %s and is killed at random moments never publishes a wrong byte, and no kill costs more than a checkpoint',
  async (proof, killsBySha256) => {
    const options = { rounds: 4, seed: 20_260_101, sizeBytes: 200e6, proofs: [proof], childPath };
    const report = await killMatrix(options);
    expect(report).toMatchObject({ kills: 4, killsBySha256, violations: [] });
    expect(report.files).toBeGreaterThan(0);
  },
  600_000,
);
