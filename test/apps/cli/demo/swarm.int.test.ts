import { describe, expect, it } from '@jest/globals';
import { demoSwarm } from '../../../../apps/cli/demo/swarm/demo-swarm.ts';
import { playDemo } from './play-demo.ts';

describe('haulier demo swarm', () => {
  it('N6 N8 brings a file to eight workers with about one copy from the origin, and serves it to clients of others', async () => {
    const played = await playDemo(demoSwarm, { enrol: true });
    const document = played.document as { originCopies: number; clients: readonly object[] };
    expect(document).toMatchObject({ schema: 'haulier.demo-swarm/v1', hosts: 8, pieces: 46 });
    expect(document.originCopies).toBeLessThan(1.3);
    expect(document.clients).toHaveLength(3);
    expect(document.clients.filter((client) => 'sha256' in client).length).toBeGreaterThan(0);
    expect(played.stderr).toMatch(/100% of all pieces, 8 of 8 hosts have the file/);
    expect(played.stderr).toMatch(/demo: stopping\n$/);
  }, 600_000);
});
