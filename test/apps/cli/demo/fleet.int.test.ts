import { describe, expect, it } from '@jest/globals';
import { demoFleet } from '../../../../apps/cli/demo/fleet/demo-fleet.ts';
import { playDemo } from './play-demo.ts';

describe('haulier demo fleet', () => {
  it('brings two versions to twelve workers, through a pause, a retry, a return and a full disk, and goes back without a byte', async () => {
    const played = await playDemo(demoFleet, { enrol: false });
    const document = played.document as { hosts: number; diskFull: object };
    const hasSmallDisk = !('skipped' in document.diskFull);
    expect(document).toMatchObject({
      hosts: 12,
      waves: {
        state: 'succeeded',
        waves: [
          { name: 'canary', hosts: 2 },
          { name: 'half', hosts: 4 },
          { name: 'all', hosts: 6 },
        ],
      },
      paused: { reason: 'threshold', failedHosts: [expect.any(String), expect.any(String)], untouchedHosts: 10 },
      retried: { hosts: 2, succeeded: hasSmallDisk ? 10 : 11 },
      returned: { state: 'done' },
      diskFull: hasSmallDisk
        ? { shownVersion: '1.0', reason: expect.any(String) }
        : { skipped: expect.stringContaining('no small disk could be mounted here') },
      rolledBack: { state: 'succeeded', hosts: 12, alreadyPresent: 12, bytesMoved: 0 },
      rollout: { state: hasSmallDisk ? 'succeeded_with_failures' : 'succeeded', exitCode: 0 },
      exitCode: 0,
    });
    expect(played.stderr).toMatch(/; exit code 0\ndemo: stopping\n$/);
  }, 600_000);
});
