import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Host } from '#contracts/http/status';
import type { EventBatch, WorkerEvent } from '#contracts/worker/worker-events';
import { MINUTE_MS } from '#core/units';
import { recordBatches } from '../../../../../apps/api/background/recorder.ts';
import { createProgram } from '../../../../../apps/cli/program.ts';
import { runCommand, type CommandEnd } from '../../../../helpers/command.ts';
import { startApp, type TestApp } from '../../../api/start-app.ts';

describe('haulier host on many hosts', () => {
  let api: TestApp;
  beforeAll(async () => {
    api = await startApp();
  });
  afterAll(() => api.stop());

  const host = (...words: string[]): Promise<CommandEnd> =>
    runCommand(
      async (context) => {
        await createProgram(context).parseAsync(['node', 'haulier', 'host', ...words]);
      },
      {
        env: { HAULIER_HOME: '/nonexistent', HAULIER_URL: api.url, HAULIER_TOKEN: api.tokens.write },
        distDir: '/nonexistent',
      },
    );
  const listed = async (selector: string): Promise<Host[]> =>
    (JSON.parse((await host('list', '--selector', selector, '--json')).stdout) as { hosts: Host[] }).hosts;
  const names = async (selector: string): Promise<string[]> => (await listed(selector)).map(({ name }) => name);
  const draining = async (): Promise<string[]> =>
    (await listed('')).filter((one) => one.draining).map(({ name }) => name);

  async function report(hosts: readonly string[], labels: Record<string, string>): Promise<void> {
    const at = Date.now();
    const facts = { arch: 'x64', os: 'linux', memoryBytes: 1e9, gpus: 0 };
    const told = { inventoryDigest: 'd', storeBytes: 0, freeBytes: 1e9, fileCount: 0, workerVersion: '1' };
    const events: WorkerEvent[] = [{ type: 'host.report', at, ...told, labels, facts }];
    const of = (host: string): EventBatch => ({
      ...{ version: 1, host, bootId: randomUUID(), sequence: 0, sentAt: at, events },
    });
    await recordBatches(api.deps, hosts.map(of));
  }
  const silence = (hosts: readonly string[]) =>
    api.deps.database.pool.query('UPDATE hosts SET last_seen_at = $2 WHERE name = ANY($1)', [
      hosts,
      new Date(Date.now() - 10 * MINUTE_MS),
    ]);

  beforeEach(async () => {
    await api.deps.database.pool.query('DELETE FROM hosts');
    await report(['gpu-1', 'gpu-2'], { gpu: 'true' });
    await report(['cpu-1'], {});
  });

  it('drains and undrains by selector and by several names, with exact counts', async () => {
    const dry = await host('drain', '--selector', 'gpu=true', '--dry-run');
    expect([dry.code, dry.stdout, await draining()]).toEqual([0, '2 would be drained of 2 hosts\n', []]);
    expect((await host('drain', '--selector', 'gpu=true')).stdout).toBe('2 drained of 2 hosts\n');
    expect(await draining()).toEqual(['gpu-1', 'gpu-2']);
    const again = await host('drain', 'cpu-1', 'gpu-1');
    expect(again.stdout).toBe('1 drained, 1 unchanged, stood so already of 2 hosts\n');
    expect((await host('undrain', '--selector', '')).stdout).toBe('3 undrained of 3 hosts\n');
    expect(await draining()).toEqual([]);
  });

  it('shows a single host as it stands, as before', async () => {
    expect((await host('drain', 'gpu-1')).stdout).toMatch(/^gpu-1\n.*\nstatus +online, draining\n/);
    expect((await host('label', 'gpu-1', 'ring=canary')).stdout).toContain('ring=canary  (set)');
    expect((await host('forget', 'gpu-1')).message).toContain('gpu-1');
  });

  it('labels all hosts that a selector matches; every word is a change then', async () => {
    const labelled = await host('label', '--selector', 'gpu=true', 'ring=canary', 'team-');
    expect([labelled.stdout, await names('ring=canary')]).toEqual(['2 labelled of 2 hosts\n', ['gpu-1', 'gpu-2']]);
    const taken = await host('label', '--selector', '', 'ring-');
    expect(taken.stdout).toBe('2 labelled, 1 unchanged, stood so already of 3 hosts\n');
    expect(await names('ring')).toEqual([]);
  });

  it('forgets hosts that are gone and names those that are not, in one document with --json', async () => {
    await silence(['gpu-1']);
    const forgotten = await host('forget', '--selector', 'gpu=true', '--json');
    expect(JSON.parse(forgotten.stdout)).toEqual({
      ...{ schema: 'haulier.host-action/v1', action: 'forget', dryRun: false, exitCode: 0 },
      counts: { matched: 2, changed: 1, unchanged: 0, skipped: 1 },
      skipped: [{ host: 'gpu-2', reason: expect.stringContaining('its worker is running') }],
    });
    expect(await names('gpu')).toEqual(['gpu-2']);
    const named = await host('forget', 'gpu-2', 'gone-1');
    expect([named.code, named.message]).toEqual([1, '2 hosts could not be forgotten']);
    expect(named.stdout).toMatch(/^0 forgotten, 2 skipped of 2 hosts\n[^]*gone-1 +no host has this name/);
  });

  it('acts on more than 100 hosts of a selector only with --all-matching', async () => {
    const hundred = Array.from({ length: 100 }, (_, index) => `big-${index}`);
    await report(hundred, { big: 'true' });
    expect((await host('drain', '--selector', 'big')).stdout).toBe('100 drained of 100 hosts\n');
    await report(['big-100'], { big: 'true' });
    const refused = await host('undrain', '--selector', 'big', '--json');
    expect([refused.code, refused.message]).toEqual([
      2,
      '--selector "big" matches 101 hosts, and 100 would be undrained; add --all-matching to act on more than 100',
    ]);
    expect(JSON.parse(refused.stdout)).toEqual({ detail: refused.message, exitCode: 2 });
    expect(await draining()).toHaveLength(100);
    const done = await host('undrain', '--selector', 'big', '--all-matching');
    expect(done.stdout).toBe('100 undrained, 1 unchanged, stood so already of 101 hosts\n');
  });

  it.each([
    [['drain'], 'say which hosts to drain: their names, or --selector'],
    [['drain', 'gpu-1', '--selector', 'gpu=true'], 'give names of hosts, or --selector, not both'],
    [['drain', 'gpu-1', '--all-matching'], '--all-matching goes with --selector'],
    [['label', 'gpu-1'], 'name a change: key=value sets a label'],
    [['label', '--selector', 'gpu=true', 'ring'], '"ring" is no change of a label'],
    [['drain', '--selector', 'gpu in'], 'gpu in'],
  ])('refuses %j as wrong usage, and says what would be right', async (words, sentence) => {
    const refused = await host(...words);
    expect([refused.code, refused.message]).toEqual([2, expect.stringContaining(sentence)]);
  });

  it('ends with 4 where no host matches', async () => {
    const none = await host('drain', '--selector', 'zone=mars');
    expect([none.code, none.stdout]).toEqual([4, '0 drained of 0 hosts\n']);
  });
});
