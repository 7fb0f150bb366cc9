import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from '@jest/globals';
import { obtain } from '#fetch/obtain';
import type { FileSpec } from '#core/file-spec';
import { LAYERS } from '#core/layer';
import { silentLogger } from '#core/logger';
import { DEFAULT_BUDGETS } from '#core/policy';
import { MIB } from '#core/units';
import { parseAddressPolicy } from '#http/address/address-policy';
import { createHttp } from '#http/pool';
import { OriginGates } from '#sources/guards/limited';
import { makeSources } from '#sources/make-sources';
import { SourceHealth } from '#sources/guards/source-health';
import type { TryRecord } from '#transfer/report/transfer-options';
import { expectNoLeaks } from '../helpers/leaks.ts';
import { startNginx, type Nginx } from '../helpers/nginx.ts';
import { obtaining, testFile, type ObtainRun } from '../helpers/obtaining.ts';
import { testCacheDir } from '../helpers/services.ts';
import { QUICK_BUDGETS } from '../helpers/transfer-kit.ts';

expectNoLeaks();
const bench = obtaining();
const file = await testFile(24 * MIB + 777, { chunkBytes: 256 * 1024 });
const folder = await mkdtemp(join(tmpdir(), 'haulier-limits-'));
const root = join(folder, 'root');
await mkdir(root, { recursive: true });
await writeFile(join(root, file.name), file.bytes);
const FILES = 16;
const small = await testFile(3 * MIB + 5);
for (let n = 0; n < FILES; n += 1) await writeFile(join(root, `small-${n}.bin`), small.bytes);

const whyNot = await whyNoNginx();
const test = whyNot === '' ? it : it.skip;
const servers: Nginx[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop();
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function whyNoNginx(): Promise<string> {
  try {
    const nginx = await startNginx({ root, workDir: join(folder, 'probe'), cacheDir: testCacheDir() });
    await nginx.stop();
    return '';
  } catch (error) {
    return `: skipped, no nginx here (${String(error).split('\n', 1)[0]})`;
  }
}

/** @param server lines of the `server` block; slow enough that more connections are tried */
async function limiting(server: string, http = ''): Promise<Nginx> {
  const workDir = join(folder, `work-${servers.length}`);
  const extraServerConfig = `limit_rate 6m;\n${server}`;
  const nginx = await startNginx({ root, workDir, cacheDir: testCacheDir(), extraServerConfig, extraHttpConfig: http });
  servers.push(nginx);
  return nginx;
}

const byConnection = (most: number, status: number): Promise<Nginx> =>
  limiting(
    `limit_conn perip ${most};\nlimit_conn_status ${status};`,
    'limit_conn_zone $binary_remote_addr zone=perip:1m;',
  );

const refusalsIn = ({ tries }: Pick<ObtainRun, 'tries'>): TryRecord[] => tries.filter(({ failure }) => failure);

describe(`nginx that limits connections${whyNot}`, () => {
  const fetched = async (nginx: Nginx): Promise<ObtainRun> => {
    const health = new SourceHealth();
    const run = await bench.obtain({ file, mirrors: [`${nginx.url}/${file.name}`], health });
    expect(health.of(nginx.url)).toMatchObject({ state: 'closed', waitMs: 0, successRate: 1 });
    expect(run.result).toMatchObject({ verified: 'digest', wastedBytes: 0 });
    return run;
  };

  test.each([403, 429, 503])(
    'A40 continues over the first connection when the second is refused with %i',
    async (status) => {
      const run = await fetched(await byConnection(1, status));
      const refusals = refusalsIn(run);
      expect(refusals.length).toBeGreaterThan(0);
      const expected = { decision: 'retry-same', reason: 'it serves 1 at once', bytes: 0 };
      for (const refusal of refusals) expect(refusal).toMatchObject(expected);
    },
  );

  test.each([2, 3])('A40 learns that %i connections are served at once', async (most) => {
    // A single transfer asks for a third connection only where it measured that the second one was a gain.
    await expectShared(await byConnection(most, 503), most);
  });

  test('A40 is final when every connection is refused with 403', async () => {
    const nginx = await limiting('location / { return 403; }');
    const run = await bench.obtain({ file, mirrors: [`${nginx.url}/${file.name}`] });
    expect(run.error).toMatchObject({ name: 'ExhaustedError', mayPass: false });
    expect(run.tries).toHaveLength(1);
  });

  test('A40 shares the connections that are served among all transfers of a process', async () => {
    await expectShared(await byConnection(4, 403), 4);
  });

  async function expectShared(nginx: Nginx, most: number): Promise<void> {
    const shared = { health: new SourceHealth(), gates: new OriginGates(), logger: silentLogger };
    const runs = await together(nginx, shared);
    expect(runs.map(({ error }) => error)).toEqual(Array(FILES).fill(undefined));
    expect(shared.health.of(nginx.url)).toMatchObject({ state: 'closed', waitMs: 0 });
    const refused = runs.flatMap((run) => refusalsIn(run));
    // How many ask before the first is refused depends on the machine; afterwards there are refusals only where the server counts late.
    expect(refused.length).toBeGreaterThan(0);
    expect(refused.every(({ decision }) => decision === 'retry-same')).toBe(true);
    expect(shared.gates.limits.of(nginx.url)).toBe(most);
  }

  test('A40 a limit of requests costs pauses and no failure that counts', async () => {
    const zone = 'limit_req_zone $binary_remote_addr zone=perip:1m rate=2r/s;';
    const nginx = await limiting('limit_req zone=perip;\nlimit_req_status 429;', zone);
    const mirrors = [`${nginx.url}/${file.name}`];
    const run = await bench.obtain({ file, mirrors, options: { budgets: DEFAULT_BUDGETS } });
    expect(run.result).toMatchObject({ verified: 'digest', wastedBytes: 0 });
  });
});

interface Shared {
  readonly health: SourceHealth;
  readonly gates: OriginGates;
  readonly logger: typeof silentLogger;
}

/** Sixteen transfers of one worker at the same time. */
async function together(nginx: Nginx, shared: Shared): Promise<{ error: unknown; tries: TryRecord[] }[]> {
  const http = createHttp({ addressPolicy: parseAddressPolicy(['127.0.0.0/8']) });
  try {
    return await Promise.all(Array.from({ length: FILES }, (_, n) => one(nginx, n, http, shared)));
  } finally {
    http.close();
  }
}

async function one(nginx: Nginx, n: number, http: ReturnType<typeof createHttp>, shared: Shared) {
  const spec: FileSpec = {
    path: `small-${n}.bin`,
    sizeBytes: small.bytes.length,
    digests: { sha256: small.sha256 },
    sources: [{ kind: 'mirror', url: `${nginx.url}/small-${n}.bin` }],
  };
  const tries: TryRecord[] = [];
  const sources = makeSources(spec, {
    gateways: [],
    hfEndpoint: 'http://hub.invalid',
    layers: LAYERS,
    http,
    ...shared,
  });
  const error: unknown = await obtain(spec, {
    ...{ sources, layers: LAYERS, strategy: 'ordered', budgets: QUICK_BUDGETS, digestThread: 'inline' },
    partialPath: join(bench.folder, `small-${n}.part`),
    onTry: (record) => void tries.push(record),
  }).then(
    () => undefined,
    (failure: unknown) => failure,
  );
  return { error, tries };
}
