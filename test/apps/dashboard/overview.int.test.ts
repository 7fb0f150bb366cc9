import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { Locator, Request } from 'playwright-core';
import { KIB, MINUTE_MS } from '#core/units';
import { openBrowser, type TestBrowser } from '../../../bench/dashboard/browser.ts';
import { makeBlocks } from '../../helpers/dag/dag.ts';
import { wholeContent } from '../../helpers/origin/origin-content.ts';
import { startOrigin, type Origin } from '../../helpers/origin/origin.ts';
import { sampleFile } from '../../helpers/sample-file.ts';
import { startSystem, type System } from '../../helpers/system.ts';
import { until } from '../../helpers/until.ts';
import { PASSWORD, settled, tabsOf, type Visitor } from './tabs.ts';

const HOST = 'gpu-001';
/** Of the slow gateway, before each answer. */
const SLOW_MS = 1200;
/** A gateway that asks to wait so long is not asked again during the test. */
const RETRY_AFTER_S = 600;

const FILES = ['first.bin', 'second.bin'].map((path) => {
  const file = sampleFile(path, 10 * KIB);
  return { ...file, cid: makeBlocks(wholeContent(file.content), { profile: 'unixfs-v1-2025' }).cid };
});

describe('the overview', () => {
  let [empty, slow] = [] as unknown as [Origin, Origin];
  let system: System;
  let opened: TestBrowser;
  let admin: Visitor;

  beforeAll(async () => {
    const ipfs = Object.fromEntries(FILES.map(({ cid, content }) => [cid, content]));
    [empty, slow] = await Promise.all([startOrigin({ ipfs: {} }), startOrigin({ ipfs })]);
    [system, opened] = await Promise.all([
      startSystem({
        hosts: [HOST],
        env: {
          IPFS_GATEWAYS: [empty.url, slow.url].join(','),
          HAULIER_REPORT_EVERY: '2s',
          HAULIER_ALLOW_ADDRESSES: [empty, slow].map(({ port }) => `127.0.0.1:${port}`).join(','),
        },
      }),
      openBrowser(),
    ]);
    await system.client.createUser({ name: 'ada', role: 'admin', password: PASSWORD });
    admin = await tabs.signIn('ada');
    await tabs.closeAll();
  });
  afterAll(async () => {
    await opened?.close();
    await system?.stop();
    await Promise.all([empty?.close(), slow?.close()]);
  });
  const tabs = tabsOf(
    () => opened.browser,
    () => system.apiUrl,
  );
  afterEach(() => tabs.closeAll());

  it('asks for all of its data while its code is still on its way', async () => {
    const page = await tabs.open(admin, '/models');
    const asked = new Set<string>();
    page.on('request', (request) => void (isQuestion(request) && asked.add(request.url())));
    let ahead: readonly string[] = [];
    await page.route('**/assets/first-pages-*.js', async (route) => {
      await until(() => asked.size > 0, { what: 'the page asks something' });
      // All is asked in one go, before the page answers this.
      await page.evaluate('0');
      ahead = [...asked];
      await route.continue();
    });
    await page.goto(system.apiUrl);
    await settled(page);
    expect(ahead.toSorted()).toEqual([...asked].sort());
    // The links of the page itself, which a browser follows before it has any script.
    const linked = await page.evaluate<string[]>(
      `[...document.querySelectorAll('link[as=fetch]')].map(({ href }) => href)`,
    );
    expect(linked.toSorted()).toEqual([...asked].sort());
    const signedOut = await (await fetch(system.apiUrl)).text();
    expect(signedOut).not.toContain('as="fetch"');
  });

  it('leads to the gateway that is slow, to how slow it is, and to the reason', async () => {
    slow.rules.push({ path: '/ipfs/', fault: { do: 'delay', ms: SLOW_MS } });
    const bring = async ({ path, cid, sha256, content }: (typeof FILES)[number]): Promise<string> => {
      const files = [{ path, cid, sha256, sizeBytes: content.size }];
      const { downloads } = await system.client.createDownloads({ files, host: HOST, layers: ['ipfs'] });
      return downloads[0]!.id;
    };
    await system.awaitDownload(await bring(FILES[0]!), ({ status }) => status === 'success');
    const page = await tabs.open(admin, '/');
    // The first gateway does not have the file: the layer is no longer healthy, and the overview says so.
    await page.getByRole('listitem').filter({ hasText: 'Layer ipfs is' }).getByRole('link').click();
    const card = page.getByRole('region', { name: 'Layer ipfs' }).getByRole('article', { name: slow.url });
    await becomes(() => factOf(card, 'Time of a try in 1 h, p50 / p95'), /^[1-9][\d.]* s \/ [1-9][\d.]* s$/);
    expect(await factOf(card, 'Success, 1 h / 24 h')).toBe('100 % / 100 %');
    await becomes(() => factOf(card, 'Breaker'), /^closed at 1 worker$/);

    slow.rules.unshift({ path: FILES[1]!.cid, fault: { do: 'status', status: 429, retryAfterS: RETRY_AFTER_S } });
    await bring(FILES[1]!);
    await becomes(() => factOf(card, 'Asked to wait'), /^\d+m \d\ds \(Retry-After\)$/);
    await card.getByText(/^Last failure: .*429/).waitFor();
  });

  it('says how old it is when nothing answers any more, and stops saying so when something does', async () => {
    const page = await tabs.open(admin, '/');
    await page.clock.install();
    await page.getByText('live', { exact: true }).waitFor();
    await page.route('**/api/**', (route) => route.abort());
    await page.clock.fastForward(MINUTE_MS);
    const age = page.getByText(/^stale \d+ s$/);
    await age.waitFor();
    expect(Number(/\d+/.exec((await age.textContent())!)![0])).toBeGreaterThanOrEqual(MINUTE_MS / 1000 - 10);
    await page.unroute('**/api/**');
    await page.clock.fastForward(MINUTE_MS);
    await page.getByText('live', { exact: true }).waitFor();
    await age.waitFor({ state: 'detached' });
    expect(tabs.faults.splice(0).filter((fault) => !fault.includes('/api/'))).toEqual([]);
  });

  it('wrote no error to the console and asked no other site, in all of this', () => {
    expect(tabs.faults).toEqual([]);
  });
});

/** What a card says of a source. */
const factOf = (card: Locator, name: string): Promise<string> =>
  card
    .locator('dl > div')
    .filter({ has: card.page().getByText(name, { exact: true }) })
    .locator('dd')
    .innerText();

/** Waits until the page, which is not loaded again, shows a text of this form. */
async function becomes(read: () => Promise<string>, form: RegExp): Promise<void> {
  let last = '';
  await until(async () => form.test((last = await read())), { what: String(form) }).catch(() =>
    expect(last).toMatch(form),
  );
}

/** Events are listened to as soon as it is known who is signed in. */
const isQuestion = (request: Request): boolean => /\/api\/(?!events)/.test(request.url());
