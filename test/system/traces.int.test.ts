import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { DownloadRequest } from '#contracts/http/downloads';
import { MIB } from '#core/units';
import { startCollector, type Collector, type CollectedSpan } from '../helpers/collector.ts';
import { startOrigin, type Origin } from '../helpers/origin/origin.ts';
import { sampleFile, sampleManifest } from '../helpers/sample-file.ts';
import { startSystem, type System } from '../helpers/system.ts';
import { until } from '../helpers/until.ts';
import { hubOf } from './hub-of.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';

describe('a trace', () => {
  const files = [sampleFile('model.bin', 2 * MIB)];
  let collector: Collector;
  let origin: Origin;
  let system: System;

  beforeAll(async () => {
    [collector, origin] = await Promise.all([startCollector(), startOrigin(hubOf(files))]);
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url };
    system = await startSystem({ origin, env, apiEnv: env });
  });
  afterAll(async () => {
    await system.stop();
    await origin.close();
    await collector.close();
  });

  const inTrace = (service: string, kind: number): CollectedSpan[] =>
    collector.spans.filter((span) => span.traceId === TRACE && span.service === service && span.kind === kind);

  it('has the request, the job, the attempt of the worker and its tries, one below the other', async () => {
    await system.client.publishVersion(sampleManifest('sample', files));
    const answer = await fetch(`${system.apiUrl}/api/downloads`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${system.token}`,
        'content-type': 'application/json',
        traceparent: `00-${TRACE}-b7ad6b7169203331-01`,
      },
      body: JSON.stringify({ model: 'sample', host: 'host-a', allowUnknown: true }),
    });
    const { downloads } = (await answer.json()) as DownloadRequest;
    const done = await system.awaitDownload(downloads[0]!.id, ({ status }) => status === 'success');
    const isThere = (): boolean =>
      inTrace('haulier-worker', 5).length > 0 && [2, 4].every((kind) => inTrace('haulier-api', kind).length > 0);
    await until(isThere, { what: 'API and worker sent their spans' });
    const [request] = inTrace('haulier-api', 2);
    const [job] = inTrace('haulier-api', 4);
    const [attempt] = inTrace('haulier-worker', 5);
    expect(request).toMatchObject({ name: 'POST /api/downloads', parentSpanId: 'b7ad6b7169203331' });
    expect(request!.facts).toMatchObject({ 'http.route': '/api/downloads', 'http.response.status_code': 202 });
    expect(job).toMatchObject({ parentSpanId: request!.spanId, facts: { 'haulier.download_id': done.id } });
    expect(attempt).toMatchObject({ parentSpanId: job!.spanId, status: 0 });
    expect(attempt!.facts).toMatchObject({
      'haulier.file': 'model.bin',
      'haulier.model': 'sample',
      'haulier.result': 'done',
    });
    const tries = inTrace('haulier-worker', 3);
    expect(tries.length).toBe(done.tries.length);
    expect(tries.every(({ parentSpanId }) => parentSpanId === attempt!.spanId)).toBe(true);
    expect(tries.find(({ status }) => status === 0)!.facts).toMatchObject({ 'haulier.bytes': 2 * MIB });
    expect(JSON.stringify(collector.spans)).not.toContain(system.token);
  });
});
