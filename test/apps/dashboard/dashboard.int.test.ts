/* eslint-disable max-lines -- one stack serves all journeys: to start another one costs more than a long file */
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { BrowserContextOptions, Page } from 'playwright-core';
import { ensureSetupCode } from '../../../apps/api/access/users/setup-code.ts';
import { silentLogger } from '#core/logger';
import { MIB } from '#core/units';
import { connect, type Database } from '#database/sql/connect';
import { openBrowser, type TestBrowser } from '../../../bench/dashboard/browser.ts';
import { startOrigin, type Origin } from '../../helpers/origin/origin.ts';
import { sampleFile, sampleManifest, type SampleFile } from '../../helpers/sample-file.ts';
import { startSystem, type System } from '../../helpers/system.ts';
import { until } from '../../helpers/until.ts';
import { hubOf } from '../../system/hub-of.ts';
import { AnnouncingHost } from './announcing-host.ts';
import { findingsOf, firstLoad, goTo, PASSWORD, settled, shows, tabsOf, tooWide, type Visitor } from './tabs.ts';

const HOSTS = ['gpu-001', 'gpu-002', 'gpu-003'];
/** Gateways beside the origin, which no file is asked of. */
const GATEWAYS = ['https://second.invalid', 'https://third.invalid'] as const;
const PAGES = join(import.meta.dirname, '../../../dist/dashboard');

/** Compressed bytes of the first page, its script and its style. */
const MAX_FIRST_LOAD_BYTES = 220_000;

const FIRST: SampleFile[] = [sampleFile('model.bin', 2 * MIB), sampleFile('config.json', 3000)];
const SECOND: SampleFile[] = [sampleFile('model.bin', 2 * MIB, 'newer'), sampleFile('gone.bin', 1000)];

describe('the dashboard', () => {
  let origin: Origin;
  let system: System;
  let opened: TestBrowser;

  beforeAll(async () => {
    origin = await startOrigin(hubOf([...FIRST]));
    [system, opened] = await Promise.all([
      startSystem({
        ...{ origin, hosts: HOSTS },
        env: { HAULIER_LABELS: 'gpu=true,site=eu-1', IPFS_GATEWAYS: [origin.url, ...GATEWAYS].join(',') },
        apiEnv: { HAULIER_ALLOW_ADDRESSES: `127.0.0.1:${origin.port}` },
      }),
      openBrowser(),
    ]);
    await until(async () => (await system.client.listHosts('gpu=true')).length === HOSTS.length, {
      what: 'all hosts report',
    });
    await system.client.publishVersion(sampleManifest('sample', FIRST, '1'));
    await system.client.publishVersion(sampleManifest('sample', SECOND, '2'));
    await system.client.createUser({ name: 'vera', role: 'viewer', password: PASSWORD });
    await system.client.createUser({ name: 'olga', role: 'operator', password: PASSWORD });
  });
  afterAll(async () => {
    await opened?.close();
    await system?.stop();
    await origin?.close();
  });

  const tabs = tabsOf(
    () => opened.browser,
    () => system.apiUrl,
  );
  afterEach(() => tabs.closeAll());
  let admin: Visitor | undefined;
  /** Without an admin every page is the one that makes the first. */
  const ensureAdmin = async (): Promise<void> => {
    const users = await system.client.listUsers();
    if (!users.some(({ name }) => name === 'ada'))
      await system.client.createUser({ name: 'ada', role: 'admin', password: PASSWORD });
  };
  /** Asks the database of the installation. */
  const withDatabase = async <Result>(work: (database: Database) => Promise<Result>): Promise<Result> => {
    const database = connect({ url: system.services.databaseUrl, poolSize: 1, logger: silentLogger });
    try {
      return await work(database);
    } finally {
      await database.close();
    }
  };
  /** As the start of the API prints one while no admin has a password. */
  const setupCode = async (): Promise<string> =>
    (await withDatabase((database) => ensureSetupCode(database, new Date())))!;
  /** A new tab of the admin. */
  const open = async (path: string, options: BrowserContextOptions = {}): Promise<Page> => {
    await ensureAdmin();
    admin ??= await tabs.signIn('ada');
    return tabs.open(admin, path, options);
  };

  it('loads little at first, and charts and other pages later', async () => {
    const { bytes, names, texts } = await firstLoad(PAGES);
    expect(names).toContainEqual(expect.stringMatching(/first-pages-.*\.js$/));
    expect(bytes).toBeLessThan(MAX_FIRST_LOAD_BYTES);
    expect(texts.filter((text) => text.includes('uplot'))).toEqual([]);
  });

  it('is served so that an injected script does not run, and so that assets are kept and pages are not', async () => {
    const page = await fetch(`${system.apiUrl}/rollouts/any`, { headers: { accept: 'text/html' } });
    expect([page.status, page.headers.get('cache-control')]).toEqual([200, 'no-cache']);
    const rules = new Map(
      page.headers
        .get('content-security-policy')!
        .split('; ')
        .map((rule) => [rule.split(' ')[0], rule]),
    );
    expect(rules.get('default-src')).toBe("default-src 'none'");
    expect(rules.get('script-src')).toBe("script-src 'self'");
    expect(rules.get('frame-ancestors')).toBe("frame-ancestors 'none'");
    const script = (await readdir(join(PAGES, 'assets'))).find(
      (name) => name.startsWith('index-') && name.endsWith('.js'),
    )!;
    const asset = await fetch(`${system.apiUrl}/assets/${script}`, { headers: { 'accept-encoding': 'br' } });
    expect(asset.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
    expect(asset.headers.get('content-encoding')).toBe('br');
    expect(await asset.text()).toBe(await readFile(join(PAGES, 'assets', script), 'utf8'));
    for (const path of ['/assets/gone.js', '/assets/..%2findex.html', '/manifest.json', '/nowhere'])
      expect([path, (await fetch(system.apiUrl + path)).status]).toEqual([path, 404]);
  });

  it('T44 signs the first admin in by the link of the start, once, and asks for a password', async () => {
    const link = `/login#code=${await setupCode()}`;
    const page = await tabs.open(undefined, link);
    await page.getByRole('heading', { level: 1, name: 'Overview' }).waitFor();
    expect(page.url()).not.toContain('code');
    await page.getByText('which works once').waitFor();
    await page.getByRole('link', { name: 'Set a password' }).click();
    await page.getByRole('heading', { name: 'Set a password' }).waitFor();
    const again = await tabs.open(undefined, link);
    await again.getByRole('heading', { level: 1, name: 'Set up Haulier' }).waitFor();
    await again.getByRole('alert').filter({ hasText: 'wrong, used or expired' }).waitFor();
    expect(tabs.faults.splice(0)).toEqual([expect.stringContaining('401')]);
  });

  it('T44 makes the first admin with the setup code of the log, and refuses a wrong one', async () => {
    const page = await tabs.open(undefined, '/');
    await page.getByRole('heading', { level: 1, name: 'Set up Haulier' }).waitFor();
    await page.getByLabel('Setup code').fill('wrong');
    await page.getByLabel('Name').fill('ada');
    await page.getByLabel('Password, at least 10 characters').fill(PASSWORD);
    await page.getByRole('button', { name: 'Create the first admin' }).click();
    await page.getByRole('alert').filter({ hasText: 'wrong, used or expired' }).waitFor();
    expect(await findingsOf(page)).toEqual([]);
    await page.getByLabel('Setup code').fill(await setupCode());
    await page.getByRole('button', { name: 'Create the first admin' }).click();
    await page.getByRole('button', { name: 'Menu of ada' }).waitFor();
    expect(tabs.faults.splice(0)).toEqual([expect.stringContaining('401')]);
  });

  it('asks who is there, leads on to the page that was asked for, and forgets the session at the end', async () => {
    await ensureAdmin();
    const page = await tabs.open(undefined, '/hosts?status=online');
    await page.getByRole('heading', { level: 1, name: 'Sign in' }).waitFor();
    await page.getByLabel('Name').fill('olga');
    await page.getByLabel('Password').fill('not the password');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('alert').waitFor();
    await page.getByLabel('Password').fill(PASSWORD);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('rowheader', { name: 'gpu-001' }).waitFor();
    await page.getByRole('button', { name: 'Menu of olga' }).click();
    await page.getByRole('menuitem', { name: 'Sign out' }).click();
    await page.getByRole('heading', { level: 1, name: 'Sign in' }).waitFor();
    await page.reload();
    await page.getByRole('heading', { level: 1, name: 'Sign in' }).waitFor();
    // The refused password is the one request that a browser notes as failed.
    expect(tabs.faults.splice(0)).toEqual([expect.stringContaining('401')]);
  });

  it('shows a viewer everything, and nothing that acts', async () => {
    await ensureAdmin();
    const page = await tabs.open(await tabs.signIn('vera'), '/');
    for (const path of [
      ...[
        '/rollouts',
        '/hosts/gpu-001',
        '/models/sample',
        '/downloads',
        '/rollouts/new?model=sample',
        '/sources',
        '/swarms',
      ],
    ]) {
      await goTo(page, path);
      const buttons = page.getByRole('main').getByRole('button', { disabled: false });
      const acts = (await buttons.allTextContents()).filter((text) => ACTS.test(text));
      expect([path, acts]).toEqual([path, []]);
      expect(
        await page
          .getByRole('main')
          .getByRole('link', { name: /^(New rollout|Roll out)$/ })
          .count(),
      ).toBe(0);
    }
  });

  it('SY6 starts a rollout, shows the same as a command, and follows it to its end without a reload', async () => {
    const page = await open('/rollouts/new');
    await page.getByRole('combobox', { name: /^Model/ }).selectOption('sample');
    await page.getByRole('combobox', { name: /^Version/ }).selectOption('1');
    await page.getByLabel('Selector').fill('gpu=true');
    await page.getByText('3 hosts', { exact: true }).waitFor();
    await page.getByText('haulier deploy sample@1 --hosts gpu=true').waitFor();
    await page.evaluate(() => Object.assign(globalThis, { isSame: true }));
    await page.getByRole('button', { name: 'Start' }).click();
    await page.getByRole('heading', { level: 1, name: 'sample@1' }).waitFor();
    await page.locator('.page-title .tone-ok', { hasText: 'succeeded' }).waitFor();
    expect(await page.evaluate(() => (globalThis as { isSame?: boolean }).isSame)).toBe(true);
    await shows(page.locator('tbody th'), HOSTS);
  });

  it('SY6 leads from a rollout that failed to its hosts and their reason, and retries them', async () => {
    const { id } = await system.client.createRollout({
      models: ['sample@2'],
      selector: 'gpu=true',
      onFailure: 'continue',
    });
    await until(async () => (await system.client.getRollout(id)).isFinal, { what: 'the rollout has failed' });
    const page = await open(`/rollouts/${id}?tab=errors`);
    await page.getByRole('row').nth(1).getByRole('link').first().click();
    await page.waitForURL(/state=failed&reason=/);
    await shows(page.locator('tbody th'), HOSTS);
    origin.serve(hubOf(SECOND));
    await page.getByRole('button', { name: 'Retry failed (3)' }).click();
    await page.getByRole('alertdialog').getByRole('button', { name: 'Retry failed (3)' }).click();
    await page.getByRole('alertdialog').waitFor({ state: 'detached' });
    await page.locator('.page-title .tone-ok', { hasText: 'succeeded' }).waitFor();
    expect((await system.client.getRollout(id)).state).toBe('succeeded');
  });

  it('SY6 tells the history of one host, down to each try of a download at a source', async () => {
    const page = await open('/hosts?q=gpu-002');
    await page.getByRole('rowheader').getByRole('link', { name: 'gpu-002' }).click();
    await page.getByRole('link', { name: 'History' }).click();
    await page.getByRole('link', { name: 'gone.bin' }).first().click();
    await page.getByRole('heading', { level: 1, name: 'gone.bin' }).waitFor();
    const { tries } = await system.client.getDownload(new URL(page.url()).pathname.split('/').at(-1)!);
    const rows = page.getByRole('table', { name: 'Tries, oldest first' }).locator('tbody tr');
    await rows.last().getByText('success').waitFor();
    expect(await rows.count()).toBe(tries.length);
    expect(await rows.last().textContent()).toContain(tries.at(-1)!.source);
  });

  it('SY6 ME5 shows why a source is where it is, tests it, and takes it away and back with a note', async () => {
    const page = await open('/sources');
    const layer = page.getByRole('region', { name: 'Layer huggingface' });
    const card = layer.getByRole('article', { name: origin.url });
    await card.getByText('Success, 1 h / 24 h').waitFor();
    await card.getByRole('button', { name: 'Test now' }).click();
    await card.getByText(/^Reached in /).waitFor();
    await card.getByRole('button', { name: 'Disable' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel(/^Why/).fill('the link is being repaired');
    await dialog.getByRole('button', { name: 'Disable' }).click();
    await card.getByText('the link is being repaired').waitFor();
    await card.getByRole('button', { name: 'Enable' }).click();
    await card.getByText('the link is being repaired').waitFor({ state: 'detached' });
  });

  it('SY6 ME5 lets an admin change the order of sources with the keyboard and with the pointer, and take it back', async () => {
    const page = await open('/sources');
    const layer = page.getByRole('region', { name: 'Layer ipfs' });
    const cards = layer.getByRole('article');
    const shown = () => cards.evaluateAll((all) => all.map((card) => card.getAttribute('aria-label')!));
    const becomes = async (origins: readonly string[]): Promise<void> => {
      let last: string[] = [];
      await until(async () => isDeepStrictEqual((last = await shown()), origins), { what: 'the order' }).catch(() =>
        expect(last).toEqual(origins),
      );
    };
    await cards.nth(2).waitFor();
    const [first, second, third] = (await shown()) as [string, string, string];
    await layer.getByRole('button', { name: `Move ${first} down` }).press('Enter');
    await becomes([second, first, third]);
    // The card changes places and its button keeps the focus.
    await layer.locator(`[aria-label="Move ${first} down"]:focus`).waitFor();
    await page.keyboard.press('Enter');
    await becomes([second, third, first]);
    await layer.getByText(`${first} is now 3 of 3.`).waitFor();
    const grip = layer.getByRole('article', { name: third }).locator('.grip');
    await grip.dragTo(layer.getByRole('article', { name: second }), { targetPosition: { x: 20, y: 5 } });
    await becomes([third, second, first]);
    await layer.getByText('Order set by ada').waitFor();
    await layer.getByRole('button', { name: 'Order by what is measured' }).click();
    await layer.getByText('Order: by what is measured.').waitFor();
    await becomes([first, second, third]);
  });

  it('finds a host by a part of its name from every page, with the keyboard alone', async () => {
    const page = await open('/audit');
    await page.getByRole('combobox', { name: /^Search/ }).waitFor();
    await page.keyboard.press('/');
    await page.keyboard.type('u-003');
    await page.getByRole('option', { name: /gpu-003/ }).waitFor();
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { level: 1, name: 'gpu-003' }).waitFor();
  });

  it('acts on all downloads that a filter matches, with exact counts', async () => {
    const page = await open('/downloads?model=sample&host=gpu-001');
    await page.getByRole('checkbox', { name: 'Select the rows on this page' }).check();
    await page.getByRole('checkbox', { name: 'all that match the filter' }).check();
    await page.getByRole('button', { name: 'Retry', disabled: true }).waitFor();
    const { matched } = (
      await system.client.planBulkAction({ action: 'pause', filter: { model: 'sample', host: 'gpu-001' } })
    ).counts;
    expect(matched).toBe(0);
  });

  it('acts on all hosts that a filter matches, and says what will be and what was', async () => {
    const page = await open('/hosts?label=gpu=true');
    await page.getByRole('checkbox', { name: 'Select gpu-001' }).check();
    await page.getByRole('checkbox', { name: 'all 3 that match the filter' }).check();
    await page.getByRole('button', { name: 'Forget' }).click();
    await page.getByText('0 of 3 hosts will be changed; 3 cannot be').waitFor();
    await page.getByText('gpu-001: its worker is running').waitFor();
    await page.getByRole('button', { name: 'Back' }).click();
    await page.getByRole('button', { name: 'Set labels' }).click();
    await page.getByLabel(/^One label a line/).fill('ring=first');
    await page.getByRole('dialog').getByRole('button', { name: 'Set labels' }).click();
    await page.getByText('label: 3 of 3 hosts changed.').waitFor();
    expect((await system.client.listHosts('ring=first')).length).toBe(HOSTS.length);
  });

  it('compares charts with the period before, and marks the rollouts that began', async () => {
    const page = await open('/charts?window=1h');
    await page.getByText('Dotted lines are rollouts that began').waitFor();
    await page.getByLabel('Compare with the period before').click();
    await page.getByText('nothing was measured in the period before').first().waitFor();
    expect(page.url()).toContain('compare=before');
  });

  it('makes a file of every write that a filter matches', async () => {
    const page = await open('/audit?action=publishVersion&window=24h');
    await page.getByLabel('Format of the file').selectOption('JSON lines');
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Export all that match' }).click(),
    ]);
    expect(download.suggestedFilename()).toBe('audit.ndjson');
    const lines = (await readFile(await download.path(), 'utf8')).trimEnd().split('\n');
    expect(lines.map((line) => (JSON.parse(line) as { action: string }).action)).toEqual(
      lines.map(() => 'publishVersion'),
    );
    expect(lines.length).toBeGreaterThanOrEqual(2);
  });

  it('VE6 asks what shall become of a newer version, and keeps the current one when told so', async () => {
    await withDatabase(({ pool }) =>
      pool.query(
        `INSERT INTO version_checks (model, source, current, available, newer, checked_at)
         SELECT name, 'hub', current_version, $1, true, now() FROM models WHERE name = 'sample'`,
        ['c'.repeat(40)],
      ),
    );
    const page = await open('/');
    await page.getByText(`sample has a newer version: ${'c'.repeat(40)}`).waitFor();
    await page.getByRole('link', { name: 'Decide' }).click();
    await page.getByRole('button', { name: 'Stay on 2' }).click();
    await page.getByText('pinned to 2').waitFor();
    expect(await system.client.getModel('sample')).toMatchObject({ pinnedVersion: '2', newerVersion: null });
  });

  it('T31 asks every few seconds while the stream of events is away, says so, and listens again later', async () => {
    const page = await open('/models');
    await page.getByText('live', { exact: true }).waitFor();
    await page.route('**/api/events*', (route) => route.abort());
    await page.reload();
    await page.getByText('polling', { exact: true }).waitFor();
    await system.client.publishVersion(sampleManifest('later', FIRST, '1'));
    await page.getByRole('link', { name: 'later' }).waitFor();
    await page.unroute('**/api/events*');
    await page.getByText('live', { exact: true }).waitFor();
    expect(tabs.faults.splice(0).filter((fault) => !fault.includes('/api/events'))).toEqual([]);
  });

  it('asks nothing while its tab is hidden, and what it missed as soon as it is shown', async () => {
    const [hidden, shown] = [await open('/sources'), await open('/sources')];
    const note = 'disabled while the tab was hidden';
    await hidden.getByText('live', { exact: true }).waitFor();
    const become = (isHidden: boolean) =>
      hidden.evaluate(`
        Object.defineProperty(document, 'hidden', { value: ${isHidden}, configurable: true });
        Object.defineProperty(document, 'visibilityState', { value: '${isHidden ? 'hidden' : 'visible'}', configurable: true });
        document.dispatchEvent(new Event('visibilitychange'));
      `);
    await become(true);
    await hidden.getByText('paused', { exact: true }).waitFor();
    const asked: string[] = [];
    hidden.on('request', (request) => asked.push(request.url()));
    const { id } = (await system.client.listSources())[0]!;
    await system.client.disableSource(id, { note });
    await shown.getByText(note).first().waitFor();
    expect(asked).toEqual([]);
    await become(false);
    await hidden.getByText(note).first().waitFor();
    await hidden.getByText('live', { exact: true }).waitFor();
    await system.client.enableSource(id);
  });

  it('keeps a view of a list in the browser', async () => {
    const page = await open('/hosts?status=online');
    await page.getByRole('button', { name: 'Views' }).click();
    await page.getByLabel('Name of the view').fill('mine');
    await page.keyboard.press('Enter');
    await page.goto(`${system.apiUrl}/hosts`);
    await settled(page);
    await page.getByRole('button', { name: 'Views' }).click();
    await page.getByRole('menuitem', { name: 'mine', exact: true }).click();
    await page.waitForURL(/status=online/);
  });

  it('T30 says what to do when the code of a page is gone, because a newer version was installed', async () => {
    const page = await open('/');
    await page.route('**/assets/audit-*', (route) => route.fulfill({ status: 404, body: '' }));
    await page.getByRole('link', { name: 'Audit' }).click();
    await page.getByRole('heading', { level: 1, name: 'This page broke' }).waitFor();
    await page.unroute('**/assets/audit-*');
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.getByRole('heading', { level: 1, name: 'Audit' }).waitFor();
    expect(tabs.faults.splice(0)).not.toEqual([]);
  });

  it('T30 keeps the page when the code of its charts is gone, or cannot work with the language of the browser', async () => {
    const page = await open('/models');
    await page.route('**/assets/plot-*.js', (route) => route.fulfill({ status: 404, body: '' }));
    await page.getByRole('link', { name: 'Overview' }).click();
    await page.getByRole('alert').first().waitFor();
    await page.getByRole('region', { name: 'Active rollouts' }).waitFor();
    expect(tabs.faults.splice(0)).not.toEqual([]);
  });

  it('T32 shows a name that holds markup as the text that it is', async () => {
    const name = '<img src=x onerror="globalThis.isHacked=1">';
    await system.client.createToken({ name, scopes: ['read'] });
    const page = await open('/settings?tab=tokens');
    await page.getByText(name).waitFor();
    expect(await page.evaluate(() => (globalThis as { isHacked?: number }).isHacked)).toBeUndefined();
  });

  /** Root CID of no file that any source has. */
  const SHARED = { cid: 'bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi', sizeBytes: 40 * MIB };

  it('N8 shows who has which pieces of a file, and what its swarm costs', async () => {
    const page = await open('/swarms');
    const names = ['share-1', 'share-2', 'share-3'];
    const hosts = await Promise.all(names.map((name) => AnnouncingHost.enrol(system, name)));
    const file = { path: 'shared.bin', ...SHARED };
    await system.client.publishVersion({ name: 'shared', version: '1', files: [file] });
    await system.client.createDownloads({ files: [file], hosts: names });
    const stops = [hosts[0]!.keepAnnouncing(SHARED, 40), hosts[1]!.keepAnnouncing(SHARED, 10)];
    await page.getByRole('link', { name: 'shared.bin' }).click();
    await page.getByRole('heading', { level: 1, name: 'shared.bin' }).waitFor();
    await page.getByRole('img', { name: 'Pieces of 2 hosts' }).waitFor();
    await page.getByText('62 % of all pieces are there; 1 of 2 hosts have the file.').waitFor();
    // It is live: a host that joins is shown without a click.
    stops.push(hosts[2]!.keepAnnouncing(SHARED, 40));
    await page.getByRole('img', { name: 'Pieces of 3 hosts' }).waitFor();
    await page.getByRole('link', { name: 'share-3' }).waitFor();
    await page.getByRole('link', { name: 'shared@1' }).click();
    await page.getByRole('link', { name: 'Who has shared.bin now' }).click();
    await page.getByRole('heading', { level: 1, name: 'shared.bin' }).waitFor();
    const path = new URL(page.url()).pathname;
    for (const [colorScheme, width] of [
      ['light', 1280],
      ['dark', 380],
    ] as const) {
      const seen = await open(path, { colorScheme, viewport: { width, height: 900 } });
      await seen.getByRole('img', { name: 'Pieces of 3 hosts' }).waitFor();
      expect([await findingsOf(seen), await tooWide(seen)]).toEqual([[], []]);
    }
    for (const stop of stops) await stop();
  });

  it('EX2 lets an operator set the limit of a site, says what is wrong with one, and takes it away', async () => {
    await ensureAdmin();
    const page = await tabs.open(await tabs.signIn('olga'), '/swarms');
    const row = page.getByRole('row').filter({ has: page.getByRole('rowheader', { name: 'eu-1', exact: true }) });
    await row.getByRole('button', { name: 'Set limit' }).click();
    const dialog = page.getByRole('dialog', { name: 'Set limit of eu-1?' });
    const send = async (text: string): Promise<void> => {
      await dialog.getByLabel('Bytes per second').fill(text);
      await dialog.getByRole('button', { name: 'Set limit' }).click();
    };
    await send('fast');
    await dialog.getByRole('alert').filter({ hasText: 'Bytes per second: "fast" is not a size' }).waitFor();
    await send('0');
    await dialog.getByRole('alert').filter({ hasText: 'bytesPerSecond' }).waitFor();
    expect(await findingsOf(page)).toEqual([]);
    await send('25MB/s');
    await dialog.waitFor({ state: 'detached' });
    await row.getByText('25.0 MB/s').waitFor();
    await row.getByText('by olga').waitFor();
    const limit = async () => (await system.client.listSites()).find(({ site }) => site === 'eu-1')!.limit;
    expect(await limit()).toMatchObject({ bytesPerSecond: 25_000_000, setBy: 'olga' });
    await row.getByRole('button', { name: 'Remove limit' }).click();
    await page.getByRole('alertdialog').getByRole('button', { name: 'Remove limit' }).click();
    await row.getByText('none').waitFor();
    expect(await limit()).toBeNull();
    // A limit of 0 is the one request that was refused.
    expect(tabs.faults.splice(0)).toEqual([expect.stringContaining('400')]);
  });

  it('says so when no host gives a file any more', async () => {
    const page = await open('/swarms/bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy');
    await page.getByText('No host fetches or gives this file now.').waitFor();
    expect(tabs.faults.splice(0).filter((fault) => !fault.includes('404'))).toEqual([]);
  });

  const EVERY_PAGE = [
    ...[
      '/',
      '/rollouts?tab=all',
      '/rollouts/new?model=sample',
      '/hosts',
      '/hosts/gpu-001',
      '/hosts/gpu-001?tab=models',
    ],
    ...['/hosts/gpu-001?tab=drift', '/hosts/gpu-001?tab=config', '/models', '/models/sample', '/downloads', '/audit'],
    ...['/sources', '/charts?window=1h', '/swarms'],
    ...[
      '/settings?tab=tokens',
      '/settings?tab=users',
      '/settings?tab=webhooks',
      '/settings?tab=enrolment',
      '/settings?tab=account',
      '/settings?tab=about',
      '/nowhere-here',
    ],
  ];

  it('has no serious finding of axe on any page, light or dark, wide or 380 pixels narrow', async () => {
    const { rollouts } = await system.client.listRollouts();
    const { downloads } = await system.client.listDownloads();
    const detail = `/rollouts/${rollouts[0]!.id}`;
    const oneOfEach = new Map(downloads.map(({ status, id }) => [status, `/downloads/${id}`]));
    const pages = [...EVERY_PAGE.slice(0, -1), ...oneOfEach.values(), detail];
    const tabs = ['errors', 'sources', 'swarms', 'timeline', 'spec'].map((tab) => `${detail}?tab=${tab}`);
    const problems: string[] = [];
    for (const [scheme, width] of [
      ['light', 1280],
      ['dark', 380],
    ] as const) {
      const page = await open('/', { colorScheme: scheme, viewport: { width, height: 900 } });
      for (const path of [...pages, ...tabs]) {
        await goTo(page, path);
        problems.push(...(await findingsOf(page)).map((finding) => `${scheme} ${path}: ${finding}`));
        problems.push(...(await tooWide(page)).map((element) => `${scheme} ${path}: too wide: ${element}`));
      }
    }
    expect(problems).toEqual([]);
  });

  it('wrote no error to the console and asked no other site, in all of this', () => {
    expect(tabs.faults).toEqual([]);
  });
});

/** Words of the buttons that change something. */
const ACTS = /Start|Retry|Pause|Resume|Cancel|Drain|Pin|Verify|Edit|Check|Disable|Test|Order|limit/;
