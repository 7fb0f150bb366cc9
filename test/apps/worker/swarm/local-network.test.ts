import { randomUUID } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { afterEach, describe, expect, it } from '@jest/globals';
import { silentLogger, type Logger } from '#core/logger';
import { MIB } from '#core/units';
import { PeerBook } from '#fetch/swarm/peer-book';
import { LocalNetwork } from '../../../../apps/worker/swarm/local-network.ts';
import { expectNoLeaks } from '../../../helpers/leaks.ts';
import { whyNoMulticast } from '../../../helpers/multicast.ts';
import { dagOf, slowOrigin, swarmHost } from '../../../helpers/swarm-kit.ts';
import { bytesOf, sha256Of } from '../../../helpers/transfer-kit.ts';
import { until } from '../../../helpers/until.ts';
import { removeTemporaryFolders } from '../../../packages/store/temp-store.ts';

const whyNot = await whyNoMulticast();
const test = whyNot === undefined ? it : it.skip;

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
  await removeTemporaryFolders();
});
expectNoLeaks();

/** A host of the loopback network. The keys differ between tests, so that tests of other processes are not heard. */
function joined(siteKey: string, port: number, logger: Logger = silentLogger) {
  const book = new PeerBook();
  const network = new LocalNetwork({
    ...{ siteKey, interfaceAddress: '127.0.0.1', host: '127.0.0.1', logger },
    onPeers: (urls) => book.set('mdns', urls),
  });
  network.start({ peerId: randomUUID(), port, site: 'test', inventory: '' });
  stops.push(() => network.stop());
  return { book, network };
}

const urlOf = (port: number): string => `http://127.0.0.1:${port}`;

describe(`hosts of a local network${whyNot === undefined ? '' : `: skipped, ${whyNot}`}`, () => {
  test('N6 find each other by multicast, and hear when one leaves', async () => {
    const key = randomUUID();
    const [a, b] = [joined(key, 7431), joined(key, 7432)];
    await until(() => a.book.urls.length === 1 && b.book.urls.length === 1, { what: 'both know each other' });
    expect([a.book.urls, b.book.urls]).toEqual([[urlOf(7432)], [urlOf(7431)]]);
    const late = joined(key, 7433);
    await until(() => late.book.urls.length === 2 && a.book.urls.length === 2, { what: 'the third one is known' });
    await b.network.stop();
    await until(() => a.book.urls.length === 1 && late.book.urls.length === 1, { what: 'the second one is gone' });
    expect(late.book.urls).toEqual([urlOf(7431)]);
  });

  test('L26 do not know hosts with another key', async () => {
    const key = randomUUID();
    const [a, foreign, b] = [joined(key, 7431), joined(randomUUID(), 7434), joined(key, 7432)];
    await until(() => a.book.urls.length > 0 && b.book.urls.length > 0, { what: 'two of them know each other' });
    expect([...a.book.urls, ...b.book.urls].sort()).toEqual([urlOf(7431), urlOf(7432)]);
    expect(foreign.book.urls).toEqual([]);
  });

  test('N6 fetch a file at once, eight of them, with at most 1.3 copies from the origin', async () => {
    const [key, bytes] = [randomUUID(), bytesOf(16 * MIB, 'mdns')];
    const dag = dagOf(bytes);
    const origin = await slowOrigin(bytes, 6 * MIB);
    stops.push(origin.close);
    const hosts = await Promise.all(
      Array.from({ length: 8 }, async () => {
        const host = await swarmHost({ siteKey: key });
        stops.push(host.stop);
        return { ...host, ...joined(key, Number(new URL(host.url).port)) };
      }),
    );
    await until(() => hosts.every(({ book }) => book.urls.length === 7), { what: 'all know all' });
    const all = await Promise.all(
      // Eight hosts in one process on a busy machine are slow, and none of them is away.
      hosts.map(({ fetch, book }) => fetch({ bytes, dag, origin: origin.url, peers: book, haste: 0.2 })),
    );
    expect(new Set(all.map(({ digests }) => digests.sha256))).toEqual(new Set([sha256Of(bytes)]));
    expect(origin.sent() / bytes.length).toBeLessThanOrEqual(1.3);
  });

  test('L27 are told once in the log that the port of mDNS cannot be shared, and find each other when it can', async () => {
    const taken = createSocket('udp4');
    const isTaken = await new Promise<boolean>((resolve) =>
      taken.once('error', () => resolve(false)).bind(5353, '0.0.0.0', () => resolve(true)),
    );
    if (!isTaken) return;
    const [key, told]: [string, unknown[]] = [randomUUID(), []];
    const logger = { ...silentLogger, warn: (facts: unknown) => told.push(facts), info: () => told.push('works') };
    const [a, b] = [joined(key, 7435, logger), joined(key, 7436)];
    await until(() => told.length > 0, { what: 'the warning' });
    expect(told).toMatchObject([{ reason: expect.stringContaining('EADDRINUSE'), interface: '127.0.0.1' }]);
    await new Promise<void>((resolve) => taken.close(resolve));
    await until(() => a.book.urls.length > 0 && b.book.urls.length > 0, { what: 'both know each other' });
    expect(told.slice(1)).toEqual(['works']);
  });
});
