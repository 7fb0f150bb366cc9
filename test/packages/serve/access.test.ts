import { describe, expect, it } from '@jest/globals';
import type { IncomingMessage } from 'node:http';
import { clientLimits } from '#serve/access/client-limits';
import { visitors } from '#serve/access/readers';
import { SERVE_SETTING_NAMES, serveSettings, type ServeValues } from '#serve/serve-settings';
import { createServeMetrics } from '#metrics/serve-metrics';
import { SETTINGS } from '#core/settings/settings';
import { readSettings } from '#os/settings';

const from = (remoteAddress: string, authorization?: string): IncomingMessage =>
  ({ socket: { remoteAddress }, headers: { authorization } }) as unknown as IncomingMessage;

describe('readers', () => {
  const visitor = visitors({ tokens: ['right'], networks: ['10.0.0.0/8', 'fd00::/8', '192.168.1.7'] });

  it.each<[string, string | undefined, boolean, boolean]>([
    ['10.1.2.3', undefined, true, false],
    ['::ffff:10.1.2.3', undefined, true, false],
    ['fd12::1', undefined, true, false],
    ['192.168.1.7', undefined, true, false],
    ['192.168.1.8', undefined, false, false],
    ['203.0.113.9', 'Bearer right', true, true],
    ['203.0.113.9', 'Bearer wrong', false, false],
    ['10.1.2.3', 'Bearer hf_of_a_hub', true, false],
  ])('EX5 from %s with %s', (address, authorization, mayRead, isTrusted) => {
    expect(visitor(from(address, authorization))).toMatchObject({ mayRead, isTrusted });
  });

  it('EX5 are counted by their token, and by their address where they have none: behind a proxy tokens tell them apart', () => {
    const known = visitors({ tokens: ['one', 'two'], networks: ['10.0.0.0/8'] });
    const keyOf = (address: string, token?: string): string => known(from(address, token && `Bearer ${token}`)).key;
    const [one, two, none] = [keyOf('10.0.0.1', 'one'), keyOf('10.0.0.1', 'two'), keyOf('10.0.0.1')];
    expect(new Set([one, two, none, keyOf('10.0.0.2')]).size).toBe(4);
    expect(keyOf('203.0.113.9', 'one')).toBe(one);
    // An unknown token would be a new client with each request.
    expect(keyOf('10.0.0.1', 'hf_of_a_hub')).toBe(none);
  });

  it('EX5 are all who reach the server, where nothing is said', () => {
    const everyone = visitors({ tokens: [], networks: [] });
    expect(everyone(from('203.0.113.9'))).toMatchObject({ mayRead: true, isTrusted: false });
  });
});

describe('limits of a client', () => {
  it('EX5 count requests within a minute', () => {
    let now = 0;
    const client = clientLimits({ requestsPerMinute: 2 }, { now: () => now, pause: async () => undefined })('one');
    expect([client.request(), client.request(), client.request()]).toEqual([0, 0, 60_000]);
    now = 60_000;
    expect(client.request()).toBe(0);
  });

  it('EX5 slow its bytes down, after a burst', async () => {
    const pauses: number[] = [];
    const clock = { now: () => 1_000, pause: async (ms: number) => pauses.push(ms) };
    const client = clientLimits({ bytesPerSecond: 1_000 }, clock)('one');
    for (const bytes of [400, 100, 250, 1_000]) await client.pace!(bytes);
    expect(pauses).toEqual([250, 1_250]);
    expect(clientLimits({})('one').pace).toBeUndefined();
  });
});

describe('settings of a served store', () => {
  const read = (env: Record<string, string>): ServeValues => readSettings(SETTINGS, SERVE_SETTING_NAMES, env).values;

  it('EX5 bind to this machine, and fetch nothing, unless told otherwise', () => {
    expect(serveSettings(read({}))).toMatchObject({ host: '127.0.0.1', port: undefined, allow: [] });
  });

  it.each([
    [{ HAULIER_SERVE_BIND: '0.0.0.0' }, /HAULIER_SERVE_BIND is "0\.0\.0\.0"/],
    [{ HAULIER_SERVE_NETWORKS: '10.0.0.0/64' }, /HAULIER_SERVE_NETWORKS: "10\.0\.0\.0\/64"/],
    [{ HAULIER_SERVE_NETWORKS: 'lan' }, /HAULIER_SERVE_NETWORKS: "lan"/],
  ])('EX5 refuse %j', (env, message) => {
    expect(() => serveSettings(read(env as Record<string, string>))).toThrow(message);
  });

  it('EX5 take another address where it is said who may read', () => {
    const env = { HAULIER_SERVE_BIND: '::', HAULIER_SERVE_TOKENS: 'one,two' };
    expect(serveSettings(read(env)).access.tokens).toEqual(['one', 'two']);
  });
});

describe('metrics of a served store', () => {
  it('EX5 count answers, bytes and what broke off', async () => {
    const metrics = createServeMetrics();
    metrics.count({ kind: 'hub-file', status: 200, sentBytes: 500, isWhole: true });
    metrics.count({ kind: 'hub-file', status: 200, sentBytes: 20, isWhole: false });
    const text = await metrics.expose();
    expect(text).toContain('haulier_served_answers_total{kind="hub-file",status="200"} 2');
    expect(text).toContain('haulier_served_bytes_total{kind="hub-file"} 520');
    expect(text).toContain('haulier_served_broken_total{kind="hub-file"} 1');
  });
});
