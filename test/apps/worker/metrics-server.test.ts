import { afterEach, describe, expect, it } from '@jest/globals';
import type { ReportedSource } from '#contracts/worker/worker-events';
import { silentLogger } from '#core/logger';
import type { Source } from '#core/source';
import { MetricsServer } from '../../../apps/worker/metrics-server.ts';

const open = { layer: 'ipfs', breaker: 'open' } as ReportedSource;

describe('the metrics of a worker', () => {
  let server: MetricsServer;
  afterEach(() => server.stop());

  const begin = (port: number | undefined): Promise<number | undefined> => {
    const rest = { bind: '127.0.0.1', workerVersion: '1.2.3', readSources: () => [open], logger: silentLogger };
    server = new MetricsServer({ port, ...rest });
    return server.start();
  };

  it('ME4 are served to Prometheus, and nothing else is', async () => {
    const port = await begin(0);
    const about = { downloadId: 'd', generation: 1, at: 0, attempt: 1, sequence: 0, kind: 'mirror' } as const;
    server.count({
      ...{ type: 'try.finished', ...about, layer: 'huggingface', source: 'https://secret.example', status: 'failure' },
      ...{ latencyMs: 5, bytes: 100, committedBytes: 40, errorKind: 'interrupted', errorMessage: null, reason: null },
    });
    server.firstByte({ layer: 'ipfs' } as Source, 60);
    server.served({ kind: 'hub-file', status: 206, sentBytes: 70, isWhole: true });
    server.contacted();
    const answer = await fetch(`http://127.0.0.1:${port}/metrics`);
    const text = await answer.text();
    expect(answer.headers.get('content-type')).toContain('text/plain');
    expect(text).toContain(
      'haulier_download_attempts_total{source="huggingface",result="failure",reason="interrupted"} 1',
    );
    expect(text).toContain('haulier_download_bytes_total{source="huggingface"} 40');
    expect(text).toContain('haulier_source_ttfb_seconds_bucket{le="0.05",source="ipfs"} 0\n');
    expect(text).toContain('haulier_source_ttfb_seconds_bucket{le="0.1",source="ipfs"} 1\n');
    expect(text).toContain('haulier_served_bytes_total{kind="hub-file"} 70\n');
    expect(text).toContain('haulier_source_breaker_open{source="ipfs"} 1');
    expect(text).toContain('haulier_source_breaker_open{source="peer"} 0');
    expect(text).not.toContain('secret.example');
    expect((await fetch(`http://127.0.0.1:${port}/`)).status).toBe(404);
    expect((await fetch(`http://127.0.0.1:${port}/metrics`, { method: 'POST' })).status).toBe(404);
  });

  it('are not served without a port', async () => {
    expect(await begin(undefined)).toBeUndefined();
  });
});
