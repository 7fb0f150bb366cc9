import { describe, expect, it } from '@jest/globals';
import { HostReport } from '#contracts/worker/worker-events';
import { SourceHealth } from '#sources/guards/source-health';
import { sourceReports } from '../../../../apps/worker/downloads/source-reports.ts';

const config = {
  ipfsGateways: ['https://one.example/ipfs/', 'not a gateway:', 'gateway.pinata.cloud'],
  gatewayData: {},
  huggingFace: { endpoint: 'https://hub.example', token: undefined },
  layers: ['ipfs', 'origin'] as const,
};
const noLimits = { of: () => Infinity };

describe('what a worker reports of its sources', () => {
  it('ME5 is the configured ones in their order, and then those that manifests named, with breaker and budget', () => {
    const health = new SourceHealth({ now: () => 0, failuresToOpen: 1, cooldownMs: 500 });
    health.failed('https://one.example', { kind: 'unreachable' });
    health.moved('https://hub.example', 1000, 500);
    health.succeeded('https://mirror.example');
    const reports = sourceReports(config, health, {
      of: (origin) => (origin === 'https://hub.example' ? 3 : Infinity),
    });
    const pinata = 'https://gateway.pinata.cloud';
    expect(reports).toMatchObject([
      {
        layer: 'ipfs',
        kind: 'ipfs-gateway',
        origin: 'https://one.example',
        place: 1,
        breaker: 'open',
        waitMs: 500,
        successRate: 0.8,
      },
      { origin: pinata, place: 2, breaker: 'closed', waitMs: 0, successRate: null, requestsPerMinute: 200 },
      { layer: 'huggingface', origin: 'https://hub.example', place: 1, bytesPerSecond: 2000, connections: 3 },
      { kind: 'mirror', origin: 'https://mirror.example', place: null, successRate: 1, connections: null },
    ]);
    const report = {
      type: 'host.report',
      at: 0,
      inventoryDigest: 'd',
      storeBytes: 0,
      freeBytes: 0,
      fileCount: 0,
      workerVersion: '1',
    };
    expect(HostReport.parse({ ...report, sources: reports }).sources).toEqual(reports);
  });

  it('names a server that is both a gateway and a hub in both layers', () => {
    const server = 'https://both.example';
    const both = { ...config, ipfsGateways: [server], huggingFace: { endpoint: server, token: undefined } };
    const reports = sourceReports(both, new SourceHealth({ now: () => 0 }), noLimits);
    expect(reports.map(({ layer, origin }) => [layer, origin])).toEqual([
      ['ipfs', server],
      ['huggingface', server],
    ]);
  });

  it('leaves out layers that are not used, and is never longer than an event may be', () => {
    const health = new SourceHealth({ now: () => 0 });
    for (let n = 0; n < 100; n += 1) health.succeeded(`https://m${n}.example`);
    const reports = sourceReports({ ...config, layers: ['origin'] }, health, noLimits);
    expect(reports).toHaveLength(64);
    expect(reports[0]).toMatchObject({ origin: 'https://hub.example' });
    expect(reports.map(({ layer }) => layer)).not.toContain('ipfs');
  });
});
