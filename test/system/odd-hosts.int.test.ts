import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { HOUR_MS, MIB } from '#core/units';
import { makeBlocks } from '../helpers/dag/dag.ts';
import { wholeContent } from '../helpers/origin/origin-content.ts';
import { startOrigin, type Origin } from '../helpers/origin/origin.ts';
import { sampleFile } from '../helpers/sample-file.ts';
import { startSystem, type System } from '../helpers/system.ts';

/** Runs in a process of Node before its program. */
const first = (code: string): string => `--import=data:text/javascript,${encodeURIComponent(code)}`;

/** Moves the wall clock of a process from its start on. */
const clockMovedBy = (ms: number): string =>
  first(`const Real = Date; globalThis.Date = class extends Real {
    constructor(...parts) { super(...(parts.length === 0 ? [Real.now() + ${ms}] : parts)); }
    static now() { return Real.now() + ${ms}; }
  };`);

/** Ends each connection to the servers of a process, as a firewall does. */
const CUT_OFF = first(`import { Server } from 'node:net'; const { listen } = Server.prototype;
  Server.prototype.listen = function (...parts) {
    this.on('connection', (socket) => socket.destroy());
    return listen.apply(this, parts);
  };`);

const HOSTS = ['odd-1', 'odd-2', 'odd-3'];

/** What is odd, options of Node for a host, and the most copies that may leave the origin. */
const CASES: readonly (readonly [string, string, Readonly<Record<string, string>>, number])[] = [
  [
    'C11 L17',
    'with clocks that are an hour wrong',
    { 'odd-2': clockMovedBy(HOUR_MS), 'odd-3': clockMovedBy(-HOUR_MS) },
    1.1,
  ],
  ['L14', 'of which one cannot be reached', { 'odd-2': CUT_OFF }, 2.1],
];

describe.each(CASES)('%s enrolled workers %s', (id, _, options, mostCopies) => {
  const file = sampleFile('odd.bin', 24 * MIB + 7, 'odd');
  const { cid, blocks } = makeBlocks(wholeContent(file.content), { profile: 'unixfs-v1-2025' });
  let origin: Origin;
  let system: System;

  beforeAll(async () => {
    origin = await startOrigin({ ipfs: { [cid]: file.content }, blocks }, [], { bytesPerSecond: 2 * MIB });
    // Other hosts read with tokens of the API alone.
    const env = { HAULIER_SERVE_TOKENS: 'of-clients', HAULIER_ALLOW_ADDRESSES: '127.0.0.0/8' };
    const envOf = (host: string) => ({ NODE_OPTIONS: options[host] ?? '' });
    system = await startSystem({ enrol: true, hosts: HOSTS, origin, env, envOf });
    await system.awaitHosts(HOSTS.length);
  });
  afterAll(async () => {
    await system.stop();
    await origin.close();
  });

  it(`${id} N6 give each other what they fetch, and all of them finish`, async () => {
    const files = [{ path: file.path, sha256: file.sha256, cid, sizeBytes: file.content.size, sources: [] }];
    const created = await Promise.all(HOSTS.map((host) => system.client.createDownloads({ files, host })));
    const isDone = ({ status }: { readonly status: string }) => status === 'success' || status === 'failed';
    for (const { downloads } of created)
      expect(await system.awaitDownload(downloads[0]!.id, isDone)).toMatchObject({
        status: 'success',
        sha256: file.sha256,
      });
    const sent = origin.requests
      .filter(({ path }) => path.includes(cid))
      .reduce((sum, { bytesSent }) => sum + bytesSent, 0);
    expect(sent / file.content.size).toBeLessThanOrEqual(mostCopies);
  });
});
