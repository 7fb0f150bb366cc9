import { describe, expect, it } from '@jest/globals';
import { HOST_NAME } from '#core/text/host-name';
import { workerOptions } from '../../../../../apps/cli/commands/stack/up.ts';

describe('the workers of one machine', () => {
  it('N43 are hosts of their own, so that each enrols, with a store of its own, and serve the pool', () => {
    const workers = [0, 1, 2].map((index) => workerOptions('/srv/haulier', 'gpu-017', index));
    expect(workers.map(({ name, env }) => [name, env['HAULIER_HOST'], env['HAULIER_HOME']])).toEqual([
      ['worker', 'gpu-017', undefined],
      ['worker-2', 'gpu-017-2', '/srv/haulier/worker-2'],
      ['worker-3', 'gpu-017-3', '/srv/haulier/worker-3'],
    ]);
    expect(workers.map(({ env }) => env['HAULIER_POOL'])).toEqual(['1', '1', '1']);
  });

  it('N43 have possible names of their own where the name of the machine is as long as one may be', () => {
    const names = [0, 1, 63].map((index) => workerOptions('/h', 'a'.repeat(100), index).env['HAULIER_HOST']!);
    expect(new Set(names).size).toBe(3);
    for (const name of names) expect(name).toMatch(HOST_NAME);
  });
});
