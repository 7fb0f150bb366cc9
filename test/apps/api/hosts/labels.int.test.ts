import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ForgottenHost, HostActionResult } from '#contracts/http/hosts';
import type { Problem } from '#contracts/http/problem';
import type { Host, HostList } from '#contracts/http/status';
import { MINUTE_MS } from '#core/units';
import { ordersKey } from '#queue/keys';
import { startApp, type TestApp } from '../start-app.ts';
import { reportHost } from '../host-report.ts';

describe('labels of hosts', () => {
  let api: TestApp;
  beforeAll(async () => {
    api = await startApp();
    await report('gpu-1', { gpu: 'true', site: 'eu-1' });
    await report('gpu-2', { gpu: 'true', site: 'us-1' });
    await report('cpu-1', {});
  });
  afterAll(() => api.stop());

  const report = (host: string, labels: Record<string, string>) => reportHost(api, host, labels);
  const names = async (selector: string, more = ''): Promise<string[]> => {
    const answer = await api.call('GET', `/api/hosts?selector=${encodeURIComponent(selector)}${more}`);
    return answer.json<HostList>().hosts.map(({ name }) => name);
  };
  const label = (name: string, labels: object, headers = {}) =>
    api.call('PATCH', `/api/hosts/${name}/labels`, labels, headers);

  it('come from the worker and from its facts, and selectors match them', async () => {
    expect(await names('gpu=true,site!=eu-1')).toEqual(['gpu-2']);
    expect(await names('haulier.io/gpus in (0)')).toEqual(['cpu-1']);
    expect(await names('name~gpu-*')).toEqual(['gpu-1', 'gpu-2']);
    expect(await names('')).toHaveLength(3);
  });

  it('that are set win over those of the worker, which show again when they are removed', async () => {
    const set = await label('gpu-2', { site: 'eu-9', team: 'speech' });
    expect(set.json<Host>()).toMatchObject({
      labels: { site: 'eu-9', team: 'speech', gpu: 'true', 'haulier.io/os': 'linux' },
      setLabels: { site: 'eu-9', team: 'speech' },
      workerLabels: { site: 'us-1' },
    });
    await report('gpu-2', { gpu: 'true', site: 'us-2' });
    expect(await names('site=eu-9')).toEqual(['gpu-2']);
    await label('gpu-2', { site: null, team: null });
    expect(await names('site=us-2')).toEqual(['gpu-2']);
  });

  it('are changed only under the tag that was read, when one is given', async () => {
    const etag = (await api.call('GET', '/api/hosts/gpu-1')).headers.get('etag')!;
    expect((await label('gpu-1', { a: '1' }, { 'if-match': etag })).statusCode).toBe(200);
    const late = await label('gpu-1', { a: '2' }, { 'if-match': etag });
    expect([late.statusCode, late.json<Problem>().code]).toEqual([412, 'precondition-failed']);
    expect((await label('gpu-1', { a: null }, { 'if-match': '*' })).statusCode).toBe(200);
    expect((await label('gpu-1', {}, { 'if-match': 'x' })).statusCode).toBe(400);
  });

  it.each([
    [{ 'haulier.io/os': 'plan9' }, 'facts of the host'],
    [{ 'no spaces': 'x' }, 'letters, digits'],
    [{ a: 'no spaces' }, 'letters, digits'],
  ])('refuses %j with the reason', async (labels, reason) => {
    const refused = await label('gpu-1', labels);
    expect(refused.statusCode).toBe(400);
    expect(refused.json<Problem>().detail).toContain(reason);
  });

  it('refuses a selector that cannot be read, and names the hosts nearest to a wrong name', async () => {
    const bad = await api.call('GET', '/api/hosts?selector=a%20b');
    expect([bad.statusCode, bad.json<Problem>().errors?.[0]?.pointer]).toEqual([400, '?selector']);
    const unknown = await label('gpu-3', { a: 'b' });
    expect([unknown.statusCode, unknown.json<Problem>().code]).toEqual([404, 'unknown-host']);
    expect(unknown.json<Problem>().detail).toContain('did you mean gpu-1, gpu-2');
  });

  it('come page by page', async () => {
    const first = (await api.call('GET', '/api/hosts?limit=2')).json<HostList>();
    expect(first.hosts.map(({ name }) => name)).toEqual(['cpu-1', 'gpu-1']);
    const second = (await api.call('GET', `/api/hosts?limit=2&cursor=${first.nextCursor}`)).json<HostList>();
    expect([second.hosts.map(({ name }) => name), second.nextCursor]).toEqual([['gpu-2'], null]);
  });

  it('a host is drained and undrained, and forgotten only while it is silent', async () => {
    expect((await api.call('POST', '/api/hosts/gpu-1/drain')).json<Host>().draining).toBe(true);
    expect((await api.call('POST', '/api/hosts/gpu-1/undrain')).json<Host>().draining).toBe(false);
    const files = [{ path: 'a.bin', sizeBytes: 1, sha256: 'a'.repeat(64) }];
    await api.call('POST', '/api/downloads', { files, host: 'cpu-1' });
    const online = await api.call('DELETE', '/api/hosts/cpu-1');
    expect([online.statusCode, online.json<Problem>().code]).toEqual([409, 'host-online']);
    expect(online.json<Problem>().detail).toMatch(/heard of \d s ago: stop it, .* nothing was heard of it for 120 s/);
    await api.deps.database.pool.query(`UPDATE hosts SET last_seen_at = $1 WHERE name = 'cpu-1'`, [
      new Date(Date.now() - 10 * MINUTE_MS),
    ]);
    expect(await names('', '&status=offline')).toEqual(['cpu-1']);
    const gone = await api.call('DELETE', '/api/hosts/cpu-1');
    expect(gone.json<ForgottenHost>()).toEqual({ name: 'cpu-1', cancelledDownloads: 1 });
    expect((await api.call('DELETE', '/api/hosts/cpu-1')).statusCode).toBe(404);
  });

  it('many hosts are acted on at once, with exact counts before and after, and what cannot be is named', async () => {
    const act = async (body: object, query = ''): Promise<HostActionResult> => {
      const answer = await api.call('POST', `/api/host-actions${query}`, body);
      expect([answer.statusCode, answer.body]).toEqual([200, expect.any(String)]);
      return answer.json();
    };
    await report('old-1', { site: 'eu-1' });
    await api.deps.database.pool.query(`UPDATE hosts SET last_seen_at = $1 WHERE name = 'old-1'`, [
      new Date(Date.now() - 10 * MINUTE_MS),
    ]);
    await label('gpu-1', { ring: 'canary' });
    const labelled = { action: 'label', hosts: { selector: 'site' }, labels: { ring: 'canary', team: null } };
    const planned = await act(labelled, '?dryRun=true');
    expect(planned).toMatchObject({ dryRun: true, counts: { matched: 3, changed: 2, unchanged: 1, skipped: 0 } });
    expect(await names('ring=canary')).toEqual(['gpu-1']);
    expect((await act(labelled)).counts).toEqual(planned.counts);
    expect(await names('ring=canary')).toEqual(['gpu-1', 'gpu-2', 'old-1']);
    expect((await act(labelled)).counts).toEqual({ matched: 3, changed: 0, unchanged: 3, skipped: 0 });
    const drained = await act({ action: 'drain', hosts: { names: ['GPU-1', 'gpu-2', 'gpu-9'] } });
    expect(drained).toMatchObject({ counts: { matched: 3, changed: 2, unchanged: 0, skipped: 1 } });
    expect(drained.skipped).toEqual([{ host: 'gpu-9', reason: 'no host has this name' }]);
    expect(await names('', '&status=draining')).toEqual(['gpu-1', 'gpu-2']);
    expect((await act({ action: 'undrain', hosts: { selector: '' } })).counts).toMatchObject({ changed: 2 });
    expect((await act({ action: 'verify', hosts: { names: ['gpu-1'] } })).counts).toMatchObject({ changed: 1 });
    const { redis } = api.deps.queues;
    expect(await redis.hlen(ordersKey(api.deps.prefix, 'gpu-1'))).toBe(1);
    const forgotten = await act({ action: 'forget', hosts: { selector: 'ring=canary' } });
    expect(forgotten.counts).toEqual({ matched: 3, changed: 1, unchanged: 0, skipped: 2 });
    expect(forgotten.skipped[0]!.reason).toContain('worker is running');
    expect(await names('ring=canary')).toEqual(['gpu-1', 'gpu-2']);
  });

  it.each([
    ['no host at all', { action: 'drain', hosts: {} }, '/hosts'],
    ['names beside a filter', { action: 'drain', hosts: { names: ['a'], q: 'b' } }, '/hosts/names'],
    ['a label without labels', { action: 'label', hosts: { names: ['a'] } }, '/labels'],
    ['labels of another action', { action: 'drain', hosts: { names: ['a'] }, labels: { a: 'b' } }, '/labels'],
  ])('an action on many hosts is refused with %s, by the name of the field', async (_what, body, pointer) => {
    const refused = await api.call('POST', '/api/host-actions', body);
    expect([refused.statusCode, refused.json<Problem>().errors?.[0]?.pointer]).toEqual([
      400,
      expect.stringMatching(new RegExp(`${pointer}$`)),
    ]);
  });
});
