import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { MIB } from '#core/units';
import { freePort } from '#os/port';
import { forwardFrom, type Forward } from '../../bench/swarm/links/forward.ts';
import { openNamespaces, refusalOfNamespaces } from '../../bench/swarm/links/namespaces.ts';
import type { Network } from '../../bench/swarm/links/network.ts';
import { makeBlocks } from '../helpers/dag/dag.ts';
import { listenThere } from '../helpers/link/listen-there.ts';
import { wholeContent } from '../helpers/origin/origin-content.ts';
import { hold } from '../helpers/origin/origin-fault.ts';
import { startOrigin, type Origin } from '../helpers/origin/origin.ts';
import { sampleFile, sha256OfFile } from '../helpers/sample-file.ts';
import { testRedisUrl } from '../helpers/services.ts';
import { startSystem, type System } from '../helpers/system.ts';
import { until } from '../helpers/until.ts';
import { blobsOf } from './store-contents.ts';

const whyNot = await refusalOfNamespaces({ isApart: true });
const test = whyNot === undefined ? it : it.skip;

const NEAR = ['near-1', 'near-2'];
const FAR = ['far-1', 'far-2'];
const HOSTS = [...NEAR, ...FAR];
const siteOf = (host: string): string => host.split('-')[0]!;
const LINK = { bytesPerSecond: 8 * MIB };
/** Of 1 MiB, and a short one. */
const PIECES = 16;
const SIZE = PIECES * MIB + 3;

describe(`enrolled workers of two sites whose links break${whyNot === undefined ? '' : `: skipped, ${whyNot}`}`, () => {
  const made = ['apart', 'alone'].map((name) => {
    const file = sampleFile(`${name}.bin`, SIZE, name);
    return { ...file, dag: makeBlocks(wholeContent(file.content), { profile: 'unixfs-v1-2025' }) };
  });
  const closes: (() => Promise<void>)[] = [];
  let network: Network;
  let origin: Origin;
  let api: Forward;
  let redis: Forward;
  let system: System;

  /** Makes a port of this machine one of the gateway. */
  async function reachable(port: number): Promise<Forward> {
    const forward = forwardFrom(await listenThere(network.gatewayLauncher, network.gateway), port);
    closes.push(() => forward.close());
    return forward;
  }

  beforeAll(async () => {
    if (whyNot !== undefined) return;
    const sites = ['near', 'far'].map((name) => ({ name, ...LINK }));
    const hosts = HOSTS.map((name) => ({ name, site: siteOf(name), ...LINK }));
    network = await openNamespaces({ hosts, sites, isApart: true });
    closes.push(() => network.close());
    const ipfs = Object.fromEntries(made.map(({ dag, content }) => [dag.cid, content]));
    const blocks = new Map(made.flatMap(({ dag }) => [...dag.blocks]));
    origin = await startOrigin({ ipfs, blocks }, [], { bytesPerSecond: MIB });
    closes.push(() => origin.close());
    const port = await freePort();
    api = await reachable(port);
    redis = await reachable(Number(new URL(testRedisUrl()).port));
    const at = ({ port: reached }: Forward): string => `//${network.gateway}:${reached}`;
    const [originUrl, redisUrl] = [`http:${at(await reachable(origin.port))}`, `redis:${at(redis)}`];
    system = await startSystem({
      ...{ enrol: true, hosts: HOSTS, port },
      // The API gives the workers its own address on this machine, which leads nowhere from their namespaces.
      launcherOf: (host) => [...network.launcherOf(host), 'env', `HAULIER_URL=http:${at(api)}`],
      env: {
        ...{ REDIS_URL: redisUrl, IPFS_GATEWAYS: originUrl, HF_ENDPOINT: originUrl },
        ...{ HAULIER_SERVE_TOKENS: 'of-clients', HAULIER_ALLOW_ADDRESSES: network.block },
      },
      envOf: (host) => ({ HAULIER_SERVE_BIND: network.addressOf(host), HAULIER_LABELS: `site=${siteOf(host)}` }),
      apiEnv: { HAULIER_WORKER_REDIS_URL: redisUrl },
    });
    closes.push(() => system.stop());
    await system.awaitHosts(HOSTS.length);
  });
  afterAll(async () => {
    for (const close of closes.reverse()) await close();
  });

  type Made = (typeof made)[number];
  /** Bytes of the file and of its leaves that the origin sent, in copies. */
  const copiesOf = ({ dag }: Made): number =>
    origin.requests.filter(({ path }) => path.includes(dag.cid)).reduce((sum, { bytesSent }) => sum + bytesSent, 0) /
    SIZE;

  /** @returns the downloads by host, and what lets the other half of the file leave the origin */
  async function order(file: Made): Promise<{ ids: ReadonlyMap<string, string>; goOn: () => void }> {
    const { path, sha256, dag } = file;
    const { fault, go } = hold(0);
    // Hosts ask for the pieces in any order, so it is their count that is held, not a position.
    const pieces = new RegExp(`${dag.cid}$`);
    origin.rules.push({ path: pieces, times: PIECES / 2, fault: { do: 'none' } }, { path: pieces, fault });
    const goOn = (): void => {
      origin.rules.length = 0;
      go();
    };
    const files = [{ path, sha256, cid: dag.cid, sizeBytes: SIZE, sources: [] }];
    const ids = new Map<string, string>();
    for (const host of HOSTS) {
      const { downloads } = await system.client.createDownloads({ files, host });
      ids.set(host, downloads[0]!.id);
    }
    await until(() => copiesOf(file) > 0.4, { what: `${path} is on its way` });
    return { ids, goOn };
  }

  async function expectAll(
    ids: ReadonlyMap<string, string>,
    { sha256 }: Made,
    hosts: readonly string[] = HOSTS,
  ): Promise<void> {
    for (const host of hosts) {
      const done = await system.awaitDownload(
        ids.get(host)!,
        ({ status }) => status === 'success' || status === 'failed',
      );
      expect(done).toMatchObject({ status: 'success', sha256 });
      expect(await sha256OfFile(done.path!)).toBe(sha256);
    }
  }

  test('L36 finish when the sites do not reach each other any more, and reach the API and the origin', async () => {
    const file = made[0]!;
    const { ids, goOn } = await order(file);
    const mends = await Promise.all(
      HOSTS.flatMap((host) =>
        HOSTS.filter((other) => siteOf(other) !== siteOf(host)).map((other) =>
          cut(network, host, 'route', ['unreachable', network.addressOf(other)]),
        ),
      ),
    );
    goOn();
    await expectAll(ids, file);
    await Promise.all(mends.map((mend) => mend()));
    // What was missing leaves the origin for each site.
    expect(copiesOf(file)).toBeGreaterThan(1.2);
    expect(copiesOf(file)).toBeLessThan(2.1);
  });

  test('L36 finish when one site does not reach the API and Redis any more, and tell it later', async () => {
    const file = made[1]!;
    const { ids, goOn } = await order(file);
    const ports = [api, redis].map(({ port }) => String(port));
    const mends = await Promise.all(
      FAR.flatMap((host) =>
        ports.map((port) =>
          cut(network, host, 'rule', ['to', network.gateway, 'ipproto', 'tcp', 'dport', port, 'unreachable']),
        ),
      ),
    );
    goOn();
    const haveIt = async (hosts: readonly string[]): Promise<boolean> => {
      const blobs = await Promise.all(hosts.map((host) => blobsOf(system.homeOf(host))));
      return blobs.every((names) => names.includes(file.sha256));
    };
    await expectAll(ids, file, NEAR);
    await until(() => haveIt(FAR), { what: 'the hosts without the API have the file' });
    for (const host of FAR) expect((await system.client.getDownload(ids.get(host)!)).status).not.toBe('success');
    await Promise.all(mends.map((mend) => mend()));
    await expectAll(ids, file);
  });
});

/** Packets of a host get lost on the way. @returns mends that */
async function cut(
  network: Network,
  host: string,
  table: 'route' | 'rule',
  rule: readonly string[],
): Promise<() => Promise<void>> {
  const [program, ...words] = network.launcherOf(host);
  const change = async (verb: 'add' | 'delete'): Promise<void> =>
    void (await promisify(execFile)(program!, [...words, 'ip', table, verb, ...rule]));
  await change('add');
  return () => change('delete');
}
