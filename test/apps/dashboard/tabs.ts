import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { gzipSync } from 'node:zlib';
import { expect } from '@jest/globals';
import type { Browser, BrowserContext, BrowserContextOptions, Locator, Page } from 'playwright-core';
import { until } from '../../helpers/until.ts';

/** Of each wait for the page: its machine may have other work. */
const PATIENCE_MS = 180_000;

const AXE = join(import.meta.dirname, '../../../node_modules/axe-core/axe.min.js');

/** The cookies of a session. */
export type Visitor = NonNullable<BrowserContextOptions['storageState']>;

export const PASSWORD = 'correct horse battery';

/** Tabs of a browser on one installation. */
export interface Tabs {
  /** What no page may do: errors on the console, and requests to anywhere else. */
  readonly faults: string[];
  /** @param visitor undefined: without a session */
  open(visitor: Visitor | undefined, path: string, options?: BrowserContextOptions): Promise<Page>;
  /** Signs in on the page for it. */
  signIn(name: string): Promise<Visitor>;
  /** Closes every tab. */
  closeAll(): Promise<void>;
}

export function tabsOf(browser: () => Browser, url: () => string): Tabs {
  const contexts: BrowserContext[] = [];
  const faults: string[] = [];
  const open: Tabs['open'] = async (visitor, path, options = {}) => {
    const context = await browser().newContext({
      viewport: { width: 1280, height: 900 },
      reducedMotion: 'reduce',
      // Without a language in the environment Chromium reports one that `Intl` refuses.
      locale: 'en-US',
      ...(visitor === undefined ? {} : { storageState: visitor }),
      ...options,
    });
    contexts.push(context);
    const page = await context.newPage();
    page.setDefaultTimeout(PATIENCE_MS);
    watch(page, url(), (fault) => faults.push(`${path}: ${fault}`));
    await page.goto(url() + path);
    await page.locator('h1').waitFor();
    return page;
  };
  return {
    faults,
    open,
    signIn: async (name) => {
      const page = await open(undefined, '/login');
      await page.getByLabel('Name').fill(name);
      await page.getByLabel('Password').fill(PASSWORD);
      await page.getByRole('button', { name: 'Sign in' }).click();
      await page.getByRole('heading', { level: 1, name: 'Overview' }).waitFor();
      return page.context().storageState();
    },
    closeAll: async () => {
      await Promise.all(contexts.splice(0).map((context) => context.close()));
    },
  };
}

function watch(page: Page, url: string, note: (fault: string) => void): void {
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') note(`${message.text()} ${message.location().url}`);
  });
  page.on('pageerror', (error) => note(error.message));
  page.on('request', (request) => {
    const asked = new URL(request.url());
    if (asked.protocol.startsWith('http') && asked.origin !== url) note(`asks ${asked.origin}`);
  });
}

/** Waits until the page has what it asked for: its own code is there, and no part of it is loading. */
export async function settled(page: Page): Promise<void> {
  await page.locator('main h1').waitFor();
  // Before that, buttons that the person may use are not there.
  await page.getByRole('button', { name: /^Menu of / }).waitFor();
  await until(async () => (await page.locator('.skeleton').count()) === 0, { what: 'the page has what it asked for' });
}

/** Leads to another page without loading the program again, as a link of the page does, and waits until it has what it asked for. */
export async function goTo(page: Page, path: string): Promise<void> {
  const to = new URL(path, page.url());
  const from = new URL(page.url());
  if (to.href === from.href) return settled(page);
  const isOther = to.pathname !== from.pathname;
  await page.evaluate(`
    if (${isOther}) document.querySelector('main').setAttribute('data-left', '');
    history.pushState(null, '', ${JSON.stringify(path)});
    dispatchEvent(new PopStateEvent('popstate'));
  `);
  if (isOther) await page.locator('main[data-left]').waitFor({ state: 'detached' });
  else await page.locator(`.tabs a[aria-current][href$="${to.search}"]`).waitFor();
  await settled(page);
}

/** Waits until the elements show these texts, in this order. */
export async function shows(elements: Locator, texts: readonly string[]): Promise<void> {
  let shown: string[] = [];
  await until(async () => isDeepStrictEqual((shown = await elements.allTextContents()), texts), {
    what: 'the texts are shown',
  }).catch(() => expect(shown).toEqual(texts));
}

/** Where a page has to be scrolled sideways: the elements that reach behind its right edge, but for tables, which scroll by themselves. */
export const tooWide = (page: Page): Promise<string[]> =>
  page.evaluate<string[]>(`(() => {
    const { scrollWidth, clientWidth } = document.documentElement;
    const endOf = (element) => element.getBoundingClientRect().right;
    return [...document.querySelectorAll(scrollWidth > clientWidth ? 'main :not(table *)' : 'none')]
      .filter((element) => endOf(element) > clientWidth)
      .map((element) => element.outerHTML.slice(0, 100) + ' ends at ' + endOf(element));
  })()`);

interface Finding {
  readonly id: string;
  readonly impact: string;
  readonly nodes: readonly { readonly html: string }[];
}

/** Findings of axe that keep people from using the page. */
export async function findingsOf(page: Page): Promise<string[]> {
  if (!(await page.evaluate(`'axe' in globalThis`))) await page.evaluate(await readFile(AXE, 'utf8'));
  const found = await page.evaluate(async () => {
    const { axe } = globalThis as unknown as { axe: { run(options: object): Promise<{ violations: Finding[] }> } };
    // Of what is right, axe tells one place of each kind, which takes less time.
    return (await axe.run({ resultTypes: ['violations'] })).violations;
  });
  return found
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' | ')}`);
}

/**
 * What a browser loads before the first page is there: what the page names.
 *
 * @returns its compressed bytes, and the names and texts of its files
 */
export async function firstLoad(folder: string): Promise<{ bytes: number; names: string[]; texts: string[] }> {
  const page = await readFile(join(folder, 'index.html'), 'utf8');
  const names = ['index.html', ...[...page.matchAll(/"\/(assets\/[^"]+\.(?:js|css))"/g)].map(([, name]) => name!)];
  const texts = await Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')));
  return { bytes: texts.reduce((sum, text) => sum + gzipSync(text).length, 0), names, texts };
}
