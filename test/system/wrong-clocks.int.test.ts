import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { HOUR_MS, MIB } from '#core/units';
import { makeBlocks } from '../helpers/dag/dag.ts';
import { wholeContent } from '../helpers/origin/origin-content.ts';
import { startOrigin, type Origin } from '../helpers/origin/origin.ts';
import { sampleFile } from '../helpers/sample-file.ts';
import { startSystem, type System } from '../helpers/system.ts';
import { until } from '../helpers/until.ts';

/** Hosts, and how far their clocks are from that of the API in milliseconds. */
const CLOCKS: Readonly<Record<string, number>> = { 'clock-right': 0, 'clock-fast': HOUR_MS, 'clock-slow': -HOUR_MS };
const HOSTS = Object.keys(CLOCKS);

/** Moves the wall clock of a process of Node from its start on. */
function clockMovedBy(ms: number): string {
  const code = `const Real = Date; globalThis.Date = class extends Real {
    constructor(...parts) { super(...(parts.length === 0 ? [Real.now() + ${ms}] : parts)); }
    static now() { return Real.now() + ${ms}; }
  };`;
  return `--import=data:text/javascript,${encodeURIComponent(code)}`;
}

describe('enrolled workers whose clocks are an hour wrong', () => {
  const file = sampleFile('clocks.bin', 24 * MIB + 7, 'clocks');
  const { cid, blocks } = makeBlocks(wholeContent(file.content), { profile: 'unixfs-v1-2025' });
  let origin: Origin;
  let system: System;

  beforeAll(async () => {
    origin = await startOrigin({ ipfs: { [cid]: file.content }, blocks }, [], { bytesPerSecond: 2 * MIB });
    // Other hosts read with tokens of the API alone.
    const env = { HAULIER_SERVE_TOKENS: 'of-clients', HAULIER_ALLOW_ADDRESSES: '127.0.0.0/8' };
    const envOf = (host: string) => ({ NODE_OPTIONS: clockMovedBy(CLOCKS[host]!) });
    system = await startSystem({ enrol: true, hosts: HOSTS, origin, env, envOf });
    const areThere = async () =>
      (await system.client.listHosts()).filter(({ workerVersion }) => workerVersion).length === HOSTS.length;
    await until(areThere, { what: 'all hosts reported', timeoutMs: 90_000 });
  });
  afterAll(async () => {
    await system.stop();
    await origin.close();
  });

  it('C11 L17 N6 give each other what they fetch, so that one copy leaves the origin', async () => {
    const files = [{ path: file.path, sha256: file.sha256, cid, sizeBytes: file.content.size, sources: [] }];
    const created = await Promise.all(HOSTS.map((host) => system.client.createDownloads({ files, host })));
    for (const { downloads } of created)
      expect(
        await system.awaitDownload(downloads[0]!.id, ({ status }) => status === 'success' || status === 'failed'),
      ).toMatchObject({ status: 'success', sha256: file.sha256 });
    const sent = origin.requests
      .filter(({ path }) => path.includes(cid))
      .reduce((sum, { bytesSent }) => sum + bytesSent, 0);
    expect(sent / file.content.size).toBeLessThanOrEqual(1.1);
  });
});
