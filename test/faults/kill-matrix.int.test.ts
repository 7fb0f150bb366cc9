import { fileURLToPath } from 'node:url';
import { expect, it } from '@jest/globals';
import { killMatrix } from '../../bench/soak/kill.ts';
import { expectNoLeaks } from '../helpers/leaks.ts';

expectNoLeaks();
const childPath = fileURLToPath(new URL('../../dist/bench/soak/fetch-child.js', import.meta.url));

it('H04 H01 RE15 a child killed at random moments never publishes a wrong byte, and fetches at most a checkpoint again', async () => {
  const report = await killMatrix({ rounds: 6, seed: 20_260_101, sizeBytes: 200e6, childPath });
  expect(report).toMatchObject({ kills: 6, violations: [] });
  expect(report.files).toBeGreaterThan(0);
}, 120_000);
