import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { silentLogger, type Logger } from '#core/logger';
import { parseAddressPolicy } from '#http/address/address-policy';
import { createHttp } from '#http/pool';
import { freePort } from '#os/port';
import type { ServeSettings } from '#serve/serve-settings';
import { OriginGates } from '#sources/guards/limited';
import { SourceHealth } from '#sources/guards/source-health';
import { MetricsServer } from '../../../../apps/worker/metrics-server.ts';
import { storeServer, type StoreServer } from '../../../../apps/worker/serve/store-server.ts';
import { startOrigin } from '../../../helpers/origin/origin.ts';
import { ask, cleansUp, hubView, publishBytes } from '../../../packages/serve/serve-kit.ts';
import { temporaryStore } from '../../../packages/store/temp-store.ts';

cleansUp();

const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0)) await close();
});

interface Said {
  readonly fields: object;
  readonly event: string;
}

async function serverWith(
  serve: Partial<ServeSettings> | undefined,
  endpoint = 'http://127.0.0.1:9',
  health = new SourceHealth(),
) {
  const store = await temporaryStore();
  await publishBytes(store, Buffer.from('{}'), { view: hubView('config.json') });
  const http = createHttp({ addressPolicy: parseAddressPolicy([]) });
  const said: Said[] = [];
  const tell = (fields: object, event: string): void => void said.push({ fields, event });
  const logger: Logger = { ...silentLogger, info: tell, error: tell };
  const settings = { host: '127.0.0.1', port: 0, access: { tokens: [], networks: [] }, allow: [], ...serve };
  const config = {
    serve: serve === undefined ? undefined : settings,
    huggingFace: { endpoint, token: undefined },
    ipfsGateways: [],
  };
  const metrics = new MetricsServer({
    ...{ port: undefined, bind: '127.0.0.1', workerVersion: '1.2.3', readSources: () => [], logger: silentLogger },
  });
  const guards = { health, gates: new OriginGates() };
  const server: StoreServer = storeServer(config, store, http, metrics, { guards }, logger);
  open.push(
    () => http.close(),
    () => server.stop(),
  );
  await server.start();
  return said;
}

describe('the store of a worker', () => {
  it('L16 passes on that the hub asked for a pause when it was asked for a client', async () => {
    const hub = await startOrigin({}, [], { rules: [{ fault: { do: 'status', status: 429, retryAfterS: 60 } }] });
    open.push(() => hub.close());
    const health = new SourceHealth();
    const [said] = await serverWith({ allow: ['acme/*'] }, hub.url, health);
    const { port } = said!.fields as { port: number };
    for (const name of ['other', 'another'])
      await ask(`http://127.0.0.1:${port}/acme/${name}/resolve/main/config.json`, { method: 'HEAD' });
    expect(health.asked.list()).toMatchObject([{ origin: hub.url }]);
    expect(hub.requests).toHaveLength(1);
  });

  it('EX5 is served where its log says', async () => {
    const [said] = await serverWith({});
    const { host, port } = said!.fields as { host: string; port: number };
    const { headers } = await ask(`http://${host}:${port}/acme/tiny/resolve/main/config.json`, { method: 'HEAD' });
    expect(headers['content-length']).toBe('2');
    const metrics = (await ask(`http://${host}:${port}/metrics`)).body.toString();
    for (const name of ['haulier_served_answers_total', 'haulier_store_bytes', 'haulier_build_info'])
      expect(metrics).toContain(`${name}`);
  });

  it('EX5 is not served where the port is taken, and the worker starts all the same', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    open.push(() => other.close());
    const said = await serverWith({ port: (other.address() as AddressInfo).port });
    expect(said).toMatchObject([{ event: 'serves nothing: the address cannot be had' }]);
  });

  it('EX5 is served, with an error in the log where HF_ENDPOINT is the server itself', async () => {
    const port = await freePort();
    const said = await serverWith({ port }, `http://localhost:${port}`);
    expect(said.map(({ event }) => event)).toEqual([
      'serves its store to standard clients',
      'HF_ENDPOINT is this server itself: nothing can be fetched from the hub',
    ]);
  });

  it('EX5 is not served where it is switched off', async () => {
    expect(await serverWith(undefined)).toEqual([]);
  });
});
