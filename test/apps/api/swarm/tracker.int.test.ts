import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { AuditList } from '#contracts/http/access/audit';
import type { DownloadRequest } from '#contracts/http/downloads';
import type { Problem } from '#contracts/http/problem';
import type { SwarmKey } from '#contracts/swarm';
import type { SwarmView } from '#contracts/swarm-view';
import { MIB, MINUTE_MS } from '#core/units';
import { readPeerToken } from '#http/peer-token';
import { swarmKey } from '#queue/keys';
import { makeBlocks } from '../../../helpers/dag/dag.ts';
import { bytesOf } from '../../../helpers/transfer-kit.ts';
import { until } from '../../../helpers/until.ts';
import { startApp, type TestApp } from '../start-app.ts';
import { CID, EnrolledHost, NAMED } from './fleet-kit.ts';

describe('the tracker of the API', () => {
  let api: TestApp;
  let second: TestApp;
  /** Takes the place of the second one. */
  let fresh: TestApp;
  let hosts: EnrolledHost[];
  const PIECES = 16;

  beforeAll(async () => {
    api = await startApp();
    second = await startApp({ beside: api });
    fresh = await startApp({ beside: api });
    const names = Array.from({ length: 20 }, (_, n) => `gpu-${n}`);
    hosts = await EnrolledHost.enrolMany(api, names, PIECES);
  });
  afterAll(async () => {
    await second.stop();
    await fresh.stop();
    await api.stop();
  });

  const view = async () => (await api.call('GET', `/api/swarm/${CID}`)).json<SwarmView>();
  /** Redis loses what it knows of the file. */
  const forget = async () => {
    const { redis } = api.deps.queues;
    await redis.del(...(await redis.keys(`${api.deps.prefix.slice(0, -1)}-${CID}*`)));
  };
  /** No lease and no host ends by its deadline, however long a round takes. */
  const makeNewer = async (): Promise<void> => {
    const { redis } = api.deps.queues;
    const base = swarmKey(api.deps.prefix, CID, PIECES * MIB);
    for (const key of [`${base}:ends`, `${base}:gone`])
      for (const member of await redis.zrange(key, '0', '-1')) await redis.zincrby(key, MINUTE_MS, member);
  };
  const empty = async () => {
    for (const host of hosts) await host.announce(api, { file: { state: 'gone' } });
  };

  it('L11 lets 20 hosts ask the origin once for each piece, through two processes, and a third one that takes the place of one of them', async () => {
    const given: number[] = [];
    let rounds = 0;
    await until(
      async () => {
        rounds += 1;
        const other = rounds < 3 ? second : fresh;
        await Promise.all(hosts.map((host, index) => host.announce(index % 2 === 0 ? api : other)));
        const pieces = hosts.flatMap(({ leases }) => leases.map(({ piece }) => piece));
        expect(new Set(pieces).size).toBe(pieces.length);
        given.push(...pieces);
        for (const host of hosts) for (const { piece } of host.leases) host.map.add(piece);
        await makeNewer();
        // Hosts wait for each other, so a round may give nothing.
        return pieces.length === 0 && new Set(given).size === PIECES;
      },
      { what: 'all pieces left the origin' },
    );
    expect(given.sort((a, b) => a - b)).toEqual(Array.from({ length: PIECES }, (_, piece) => piece));
    const shown = await view();
    expect(shown).toMatchObject({
      originCopies: 1,
      pieces: PIECES,
      pieceBytes: MIB,
      sizeBytes: PIECES * MIB,
      leases: [],
    });
    expect(shown.replication).toEqual([{ holders: 1, pieces: PIECES }]);
    expect(shown.hosts).toHaveLength(20);
    expect(shown.hosts.reduce((sum, { heldPieces }) => sum + heldPieces, 0)).toBe(PIECES);
    expect(shown.sites).toEqual([{ site: '', hosts: 20, copies: 1 }]);
    expect(shown.files).toEqual([]);
    expect(shown.rarest[0]).toEqual({ piece: 0, holders: 1 });
    expect(shown.elapsedMs).toBeGreaterThan(0);
    expect(shown.bottleneck).toBe('origin');
  });

  it('L17 tells hosts each other, and gives them a token for the file that others can check', async () => {
    for (const host of hosts) await host.announce(api);
    const answer = await hosts[0]!.announce(api);
    expect(answer).toMatchObject({ intervalMs: 2000, site: '', wait: 'held', leases: [] });
    expect(answer.peers.length).toBeGreaterThanOrEqual(16);
    expect(answer.peers[0]!.urls[0]).toMatch(/^http:\/\/gpu-\d+:7430$/);
    const authorization = `Bearer ${hosts[1]!.token}`;
    const key = (await second.call('GET', '/api/swarm/key', undefined, { authorization })).json<SwarmKey>();
    expect(readPeerToken(key.publicKey, answer.token!, Date.now())).toMatchObject({ host: 'gpu-0', cids: [CID] });
  });

  it('L16 leases nothing from an origin that a host says is paused before it has a lease, and shows how long that lasts', async () => {
    await empty();
    const [host] = await EnrolledHost.enrolMany(api, ['patient'], PIECES);
    const paused = { file: { originPauseMs: MINUTE_MS } };
    expect(await host!.announce(api, paused)).toMatchObject({ leases: [], wait: 'paused' });
    const { originPausedMs } = await view();
    expect(originPausedMs).toBeGreaterThan(0);
    expect(originPausedMs).toBeLessThanOrEqual(MINUTE_MS);
    await forget();
  });

  it('L28 gives a token for files too that the host is to fetch, in case the API is away when it begins, and for no others', async () => {
    const [next, cancelled, ofOther] = ['next', 'cancelled', 'of another host'].map(
      (text) => makeBlocks(bytesOf(10, text), { profile: 'unixfs-v1-2025' }).cid,
    );
    const order = async (host: string, cid: string): Promise<string> => {
      const files = [{ path: cid, cid, sizeBytes: MIB }];
      const { downloads } = (await api.call('POST', '/api/downloads', { files, host })).json<DownloadRequest>();
      return downloads[0]!.id;
    };
    const [host] = await EnrolledHost.enrolMany(api, ['queued'], PIECES);
    await order('queued', next!);
    await api.call('POST', `/api/downloads/${await order('queued', cancelled!)}/cancel`);
    await order('gpu-0', ofOther!);
    const { token } = await host!.announce(api, { file: { want: 0 } });
    const authorization = `Bearer ${host!.token}`;
    const { publicKey } = (await api.call('GET', '/api/swarm/key', undefined, { authorization })).json<SwarmKey>();
    expect(readPeerToken(publicKey, token!, Date.now())!.cids).toEqual([CID, next!].sort());
    await host!.announce(api, { file: { state: 'gone' } });
  });

  it('L13 goes on after Redis was emptied in the middle: one round, and no lease is given twice', async () => {
    const [a, b] = [hosts[0]!, hosts[1]!];
    await empty();
    for (const host of hosts) for (const piece of [0, 1, 2, 3, 4, 5, 6, 7]) host.map.add(piece);
    await a.announce(api);
    const before = a.leases.map(({ id }) => id).sort();
    expect(before.length).toBeGreaterThan(0);
    await forget();
    expect((await api.call('GET', `/api/swarm/${CID}`)).statusCode).toBe(404);
    expect((await a.announce(second)).leases.map(({ id }) => id).sort()).toEqual(before);
    await b.announce(api);
    const pieces = [...a.leases, ...b.leases].map(({ piece }) => piece);
    expect(new Set(pieces).size).toBe(pieces.length);
    expect((await view()).replication).toContainEqual({ holders: 2, pieces: 8 });
    await empty();
  });

  it('L14 quarantines a host that sent wrong bytes to two others, and writes it down', async () => {
    const [liar, a, b] = [hosts[5]!, hosts[6]!, hosts[7]!];
    for (let piece = 0; piece < PIECES; piece += 1) liar.map.add(piece);
    for (const host of [liar, a, b]) await host.announce(api);
    const blame = [{ host: 'GPU-5', piece: 3, reason: 'wrong-bytes' as const }];
    await a.announce(api, { file: { blame } });
    expect((await view()).hosts.find(({ host }) => host === 'gpu-5')).toMatchObject({ isHidden: false });
    await b.announce(second, { file: { blame } });
    expect((await view()).hosts.find(({ host }) => host === 'gpu-5')).toMatchObject({ isHidden: true });
    const { peers } = await a.announce(api);
    expect(peers.map(({ host }) => host)).not.toContain('gpu-5');
    expect(await liar.announce(api, { file: { have: 'A'.repeat(3), state: 'leeching' } })).toMatchObject({
      leases: [],
      wait: 'quarantined',
    });
    const { entries } = (
      await api.call('GET', '/api/audit?action=quarantineHost', undefined, {
        authorization: `Bearer ${api.tokens.admin}`,
      })
    ).json<AuditList>();
    expect(entries).toHaveLength(1);
    expect(entries[0]).toMatchObject({ target: 'hosts/gpu-5', after: { cid: CID, piece: 3, reporter: 'gpu-7' } });
    await empty();
  });

  it('L16 tells a pause that an origin asked one host for to hosts that fetch other files, and believes no quarantined host', async () => {
    const [first, other] = [hosts[10]!, hosts[11]!];
    const pause = { origin: 'https://hub.example', ms: 60_000 };
    const alone = { file: { state: 'gone' as const }, isFetching: true };
    expect((await other.announce(api, alone)).originPauses).toEqual([]);
    await first.announce(second, { ...alone, originPauses: [pause] });
    const { originPauses } = await other.announce(api, alone);
    expect(originPauses).toEqual([{ origin: pause.origin, ms: expect.any(Number) }]);
    expect(originPauses![0]!.ms).toBeLessThanOrEqual(60_000);
    const liar = { origin: 'https://mirror.example', ms: 60_000 };
    await hosts[5]!.announce(api, { ...alone, originPauses: [liar] });
    expect((await other.announce(api, alone)).originPauses).toHaveLength(1);
  });

  it('L15 takes a host at its own name alone, and only for files that its downloads name', async () => {
    const [host] = await EnrolledHost.enrolMany(api, ['other'], PIECES);
    const stranger = await EnrolledHost.enrol(api, 'stranger', PIECES);
    expect(await stranger.announce(api)).toMatchObject({ wait: 'foreign', leases: [], peers: [], token: null });
    const refused = await host!.send(api, { host: 'gpu-1' });
    expect([refused.statusCode, refused.json<Problem>().detail]).toEqual([
      403,
      'the token is of the host "other" (got "gpu-1")',
    ]);
    const named = await host!.send(api, {
      file: { named: 'bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy' },
    });
    expect(named.json<Problem>().errors?.[0]).toMatchObject({ pointer: '/files/0/named' });
    expect(JSON.stringify(named.json<Problem>())).toContain(CID);
    expect((await host!.announce(api, { file: { named: NAMED } })).wait).not.toBe('foreign');
  });

  it('refuses what is no announce, field by field', async () => {
    const host = hosts[0]!;
    for (const [file, pointer] of [
      [{ have: 'AA' }, '/files/0/have'],
      [{ cid: NAMED }, '/files/0/cid'],
      [{ sizeBytes: 0 }, '/files/0/sizeBytes'],
      [{ want: 65 }, '/files/0/want'],
      [{ leases: [{ id: 'x', piece: 16, from: 'origin', status: 'held' }] }, '/files/0/leases/0/piece'],
      [{ blame: [{ host: 'a b', piece: 0, reason: 'absent' }] }, '/files/0/blame/0/host'],
    ] as const) {
      const refused = await host.send(api, { file: file as object });
      expect([refused.statusCode, refused.json<Problem>().errors?.[0]?.pointer]).toEqual([400, pointer]);
    }
    const pause = await host.send(api, { originPauses: [{ origin: 'hub.example', ms: 1 }] });
    expect(pause.json<Problem>().errors?.[0]).toMatchObject({
      pointer: '/originPauses/0/origin',
      detail: expect.stringContaining('https://hub.example'),
    });
    const twice = await api.call('POST', '/api/swarm/announce', {}, { authorization: `Bearer ${host.token}` });
    expect(twice.statusCode).toBe(400);
  });

  it('is closed to other tokens, and shows the swarm to tokens that may read', async () => {
    const body = { host: 'gpu-0', boot: 'x', urls: [], files: [] };
    for (const token of [api.tokens.admin, 'haulier_wrk_x', ''])
      expect(
        (await api.call('POST', '/api/swarm/announce', body, { authorization: token && `Bearer ${token}` })).statusCode,
      ).toBe(401);
    expect((await api.call('GET', '/api/swarm/key')).statusCode).toBe(401);
    const missing = await api.call('GET', `/api/swarm/bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy`);
    expect([missing.statusCode, missing.json<Problem>().code]).toEqual([404, 'unknown-cid']);
    expect((await api.call('GET', '/api/swarm/nothing')).json<Problem>().errors?.[0]).toMatchObject({
      pointer: '/cid',
    });
    expect((await api.call('GET', `/api/swarm/${NAMED}`)).json<SwarmView>().cid).toBe(CID);
    expect(
      (await api.call('GET', `/api/swarm/${CID}`, undefined, { authorization: `Bearer ${hosts[0]!.token}` }))
        .statusCode,
    ).toBe(401);
  });
});
