import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { silentLogger } from '#core/logger';
import { parseAddressPolicy } from '#http/address/address-policy';
import { createHttp } from '#http/pool';
import { hubMirror, type HubMirror } from '#serve/pull/hub-mirror';
import { SourceHealth } from '#sources/guards/source-health';
import { startOrigin, type Origin } from '../../helpers/origin/origin.ts';
import type { FaultRule } from '../../helpers/origin/origin-fault.ts';
import { until } from '../../helpers/until.ts';
import { temporaryFolder } from '../store/temp-store.ts';
import { cleansUp } from './serve-kit.ts';

cleansUp();

const open: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

const COMMIT = 'abcdef0123456789abcdef0123456789abcdef01';
const REPO = { commit: COMMIT, files: { 'config.json': Buffer.from('{}') } };
const TINY = { type: 'model', name: 'acme/tiny' } as const;
const OTHER = { type: 'model', name: 'acme/other' } as const;

interface Mirrored {
  readonly hub: Origin;
  readonly mirror: HubMirror;
  /** Moves the clock of the mirror. */
  pass(ms: number): void;
  readonly health: SourceHealth;
}

interface MirroredOptions {
  readonly folder?: string;
  readonly waitMs?: number;
  readonly headersMs?: number;
}

/** Clients wait less long than the list takes. */
const SLOW: MirroredOptions = { waitMs: 500, headersMs: 30_000 };

/** A mirror of a hub that fails as told, and a clock of its own. */
async function mirrored(
  rules: readonly FaultRule[] = [],
  { folder, waitMs, headersMs = 200 }: MirroredOptions = {},
): Promise<Mirrored> {
  const hub = await startOrigin({ repos: { 'acme/tiny': REPO, 'acme/other': REPO } }, [], { rules: [...rules] });
  const http = createHttp({ addressPolicy: parseAddressPolicy([]), timeouts: { headersMs } });
  open.push(
    () => hub.close(),
    () => http.close(),
  );
  let now = 1_000_000;
  const upstream = { http, hfEndpoint: hub.url, gateways: [] };
  const health = new SourceHealth({ now: () => now });
  const rest = { health, logger: silentLogger, now: () => now, waitMs, isHere: async () => false };
  const options = { allow: ['acme/*'], upstream, ...rest };
  const mirror = hubMirror({ ...options, folder: folder ?? (await temporaryFolder()) });
  return { hub, mirror, health, pass: (ms) => void (now += ms) };
}

const KNOWN = { is: 'known', revision: { commit: COMMIT } };

describe('a hub that gives no answer', () => {
  it.each<[string, FaultRule]>([
    ['hangs', { fault: { do: 'hang' } }],
    ['has too many requests', { fault: { do: 'status', status: 429 } }],
  ])('EX5 F21 that %s is asked once in 15 seconds, whatever clients ask for', async (_, rule) => {
    const { hub, mirror, pass } = await mirrored([rule]);
    for (const repo of [TINY, TINY, OTHER]) expect(await mirror.revision(repo, 'main')).toEqual({ is: 'away' });
    expect(hub.requests.length).toBe(1);
    hub.rules.splice(0);
    pass(14_999);
    expect(await mirror.revision(TINY, 'main')).toEqual({ is: 'away' });
    pass(1);
    expect(await mirror.revision(TINY, 'main')).toMatchObject(KNOWN);
  });

  it('EX5 F21 that hangs for longer than clients wait is asked once in 15 seconds, too', async () => {
    const { hub, mirror, pass } = await mirrored([{ fault: { do: 'hang' } }], SLOW);
    for (const repo of [TINY, TINY, OTHER]) expect(await mirror.revision(repo, 'main')).toEqual({ is: 'away' });
    expect(hub.requests.length).toBe(1);
    hub.rules.splice(0);
    pass(15_000);
    expect(await mirror.revision(TINY, 'main')).toMatchObject(KNOWN);
  });

  it('EX5 F21 is left alone for as long as it says, up to five minutes', async () => {
    const { hub, mirror, health, pass } = await mirrored([
      { fault: { do: 'status', status: 429, retryAfterS: 3_600 } },
    ]);
    expect(await mirror.revision(TINY, 'main')).toEqual({ is: 'away' });
    // No host of the fleet asks it for anything meanwhile.
    expect(health.asked.list()).toEqual([{ origin: hub.url, bucket: undefined, ms: 300_000 }]);
    hub.rules.splice(0);
    pass(299_999);
    expect(await mirror.revision(TINY, 'main')).toEqual({ is: 'away' });
    pass(1);
    expect(await mirror.revision(TINY, 'main')).toMatchObject(KNOWN);
  });

  it('L16 that asked for a pause of its files is not asked for lists meanwhile', async () => {
    const { hub, mirror, health, pass } = await mirrored();
    health.coolDown(hub.url, 60_000);
    expect(await mirror.revision(TINY, 'main')).toEqual({ is: 'away' });
    expect(hub.requests).toEqual([]);
    pass(60_000);
    expect(await mirror.revision(TINY, 'main')).toMatchObject(KNOWN);
  });

  it('EX5 F21 is not asked for what it said before, which is served while it is away', async () => {
    const { hub, mirror, pass } = await mirrored();
    await mirror.revision(TINY, 'main');
    hub.rules.push({ fault: { do: 'hang' } });
    pass(60_000);
    const asked = hub.requests.length;
    for (let time = 0; time < 3; time += 1) expect(await mirror.revision(TINY, 'main')).toMatchObject(KNOWN);
    expect(hub.requests.length).toBe(asked + 1);
  });

  it('EX5 for one repository alone is asked for the others', async () => {
    const { mirror } = await mirrored([{ path: /tiny/, fault: { do: 'json-error' } }]);
    expect(await mirror.revision(TINY, 'main')).toEqual({ is: 'away' });
    expect(await mirror.revision(OTHER, 'main')).toMatchObject(KNOWN);
  });

  it('EX5 is mirrored as long as it answers, also where the disk keeps nothing', async () => {
    const parent = await temporaryFolder();
    const folder = join(parent, 'hub');
    // Nothing is there, and nothing can be made there.
    await symlink(join(parent, 'none', 'deep'), folder);
    const { mirror } = await mirrored([], { folder });
    expect(await mirror.revision(TINY, 'main')).toMatchObject(KNOWN);
  });

  it('EX5 F21 whose list takes longer than clients wait is asked once, and the list is there for the next client', async () => {
    const { hub, mirror } = await mirrored([{ path: /tree/, fault: { do: 'delay', ms: 1_500 } }], SLOW);
    for (const name of ['main', 'main']) expect(await mirror.revision(TINY, name)).toEqual({ is: 'away' });
    const isKnown = async (): Promise<boolean> => (await mirror.revision(TINY, 'main')).is === 'known';
    await until(isKnown, { what: 'the list has arrived' });
    expect(hub.requests.filter(({ path }) => path.includes('tree')).length).toBe(1);
  });
});

describe('a hub that refuses', () => {
  it.each([401, 403, 404])(
    'EX5 F22 with %s and no reason takes away nothing that it described before',
    async (status) => {
      const { hub, mirror, pass } = await mirrored();
      await mirror.revision(TINY, 'main');
      hub.rules.push({ fault: { do: 'status', status } });
      pass(60_000);
      const asked = hub.requests.length;
      for (const name of ['main', 'main']) expect(await mirror.revision(TINY, name)).toMatchObject(KNOWN);
      expect(await mirror.revision(OTHER, 'main')).toEqual({ is: 'refused', what: 'RepoNotFound' });
      expect(hub.requests.length).toBe(asked + 2);
    },
  );

  it('EX5 F22 and says that the repository is gated now, is believed', async () => {
    const { hub, mirror, pass } = await mirrored();
    await mirror.revision(TINY, 'main');
    hub.rules.push({ fault: { do: 'status', status: 403, headers: { 'x-error-code': 'GatedRepo' } } });
    pass(60_000);
    expect(await mirror.revision(TINY, 'main')).toEqual({ is: 'refused', what: 'GatedRepo' });
  });
});
