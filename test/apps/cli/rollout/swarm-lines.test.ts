import { expect, it } from '@jest/globals';
import type { RolloutSwarms } from '#contracts/http/rollouts/rollout-swarms';
import { deployRequest } from '../../../../apps/cli/rollout/deploy-request.ts';
import { originCopiesText } from '../../../../apps/cli/rollout/rollout-text.ts';
import { swarmTableLines } from '../../../../apps/cli/rollout/swarm-lines.ts';

const swarm = (more: Partial<RolloutSwarms['swarms'][number]> = {}): RolloutSwarms['swarms'][number] => ({
  ...{ cid: 'bafyfile', files: [{ model: 'whisper', version: '1', path: 'onnx/model.bin' }], sizeBytes: 48_000_000 },
  ...{ hosts: 20, doneHosts: 19, originCopies: 1.034, sites: [{ site: 'eu', hosts: 20, copies: 1.034 }] },
  ...{ elapsedMs: 12_300, boundMs: 11_000, timesBound: 1.118, bottleneck: 'disk' },
  updatedAt: '2026-11-30T12:00:00.000Z',
  ...more,
});

it('N8 shows for each file of a rollout the copies, the time against the bound, and what limited it', () => {
  const originCopies = { copies: 1.034, allowed: 2 };
  expect(swarmTableLines({ originCopies, swarms: [] }, 200)).toEqual([]);
  const sites = [
    { site: 'eu', hosts: 10, copies: 1 },
    { site: '', hosts: 10, copies: 0.5 },
  ];
  const unknown = swarm({ files: [], sites, boundMs: null, timesBound: null, bottleneck: null });
  const [, , first, second] = swarmTableLines({ originCopies, swarms: [swarm(), unknown] }, 200);
  expect(first!.split(/ {2,}/)).toEqual([
    ...['onnx/model.bin', '48.0 MB', '19/20', '1.03 of 2', '12.3 s', '1.12 x', 'the disk of a host'],
  ]);
  expect(second!.trimEnd().split(/ {2,}/)).toEqual([
    ...['bafyfile', '48.0 MB', '19/20', '1.03 of 2', 'eu 1.00, no site 0.50', '12.3 s'],
  ]);
});

it('N8 says how many copies left the origin, and how many may', () => {
  expect(originCopiesText({ originCopies: { copies: null, allowed: 1 } })).toBe('');
  expect(originCopiesText({ originCopies: { copies: 1.02, allowed: 1 } })).toBe('1.02 of 1 copy from the origin');
  expect(originCopiesText({ originCopies: { copies: 0, allowed: 3 } })).toBe('0.00 of 3 copies from the origin');
});

it('refuses a number of copies that is none, and names the option and what would be right', () => {
  expect(deployRequest('a@1', { hosts: '', originCopies: '3' })).toMatchObject({ originCopies: 3 });
  for (const originCopies of ['0', '1.5', '-1', 'two', ''])
    expect(() => deployRequest('a@1', { hosts: '', originCopies })).toThrow(
      new RangeError(`--origin-copies must be a whole number from 1 to 9999 (got "${originCopies}")`),
    );
});
