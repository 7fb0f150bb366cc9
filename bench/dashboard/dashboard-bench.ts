import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { HOUR_MS } from '#core/units';
import type { BenchOptions } from '../bench-options.ts';
import { findProjectFiles } from '../../apps/api/project-files.ts';
import { fact, judge, type Goal } from '../goals.ts';
import { describeMachine } from '../machine.ts';
import type { Measured } from '../measured.ts';
import { openQueueLab, type QueueLab } from '../queue/queue-lab.ts';
import { seed } from '../seed/seed-all.ts';
import { markdownOf, rowOf, type BenchReport } from '../table.ts';
import { openBrowser } from './browser.ts';
import { gridFrames } from './grid-frames.ts';

const THROTTLE = 4;
const PASSWORD = 'bench password of this machine';
const VIEWPORT = { width: 1280, height: 860 };

const COLD = `Overview, nothing kept by the browser, CPU ${THROTTLE} × slower`;
const AGAIN = `Overview again, CPU ${THROTTLE} × slower`;
const FULL_SPEED = 'Overview, nothing kept by the browser';
const GRID = 'Grid of every host of a rollout, 500 of which change at once';
const PATIENCE_MS = 60_000;

const GOALS: readonly Goal[] = [
  {
    ...{ id: 'D1', of: COLD, what: 'ms until the largest paint', look: fact('lcpMs') },
    ...{ direction: 'at most', hold: 1500 },
  },
  { id: 'D2', of: COLD, what: 'ms until the heading', look: fact('headingMs'), direction: 'at most', hold: 1500 },
  { id: 'D3', of: GRID, what: 'ms of the longest frame', look: fact('longestMs'), direction: 'at most', hold: 50 },
];

/** Measures how long an admin waits for the first page of a seeded fleet; removes everything. */
export async function dashboardBench(options: BenchOptions): Promise<{ report: BenchReport; markdown: string }> {
  const cacheDir = join(fileURLToPath(new URL('../../..', import.meta.url)), '.cache');
  const lab = await openQueueLab({ ...options, cacheDir, env: { HAULIER_LOG_LEVEL: 'warn' } });
  try {
    await enterFleet(lab, options);
    const { browser, close } = await openBrowser();
    try {
      const visitor = await signIn(browser, lab);
      const names = [COLD, AGAIN, FULL_SPEED, GRID];
      const results: Measured[][] = names.map(() => []);
      for (let round = 0; round <= options.rounds; round += 1) {
        options.signal.throwIfAborted();
        const runs = await roundOf(browser, lab, visitor, options.signal);
        options.say(`  ${round === 0 ? 'warm-up' : `round ${round}/${options.rounds}`}  ${textOf(runs)}`);
        if (round > 0) runs.forEach((run, place) => results[place]!.push(run));
      }
      const one = {
        ...{ name: 'dashboard', title: titleOf(options), rounds: options.rounds },
        notes: ['wall: until nothing is loading and the charts are drawn; CPU: of the page; peak: its heap'],
        rows: names.map((name, place) => rowOf(name, results[place]!, results[0]!)),
        goals: GOALS.map((goal) => judge(goal, names, results)),
      };
      const programs = { chromium: `Chromium ${browser.version()}` };
      const report = { machine: await describeMachine(lab.folder), programs, cases: [one] };
      return { report, markdown: markdownOf(report) };
    } finally {
      await close();
    }
  } finally {
    await lab.close();
  }
}

async function roundOf(
  browser: Browser,
  { stack: { apiUrl }, database }: QueueLab,
  visitor: Visitor,
  signal: AbortSignal,
): Promise<Measured[]> {
  const throttled = await visits(browser, apiUrl, visitor, THROTTLE);
  const [first] = await visits(browser, apiUrl, visitor, 1);
  return [...throttled, first!, await gridFrames({ browser, database, apiUrl, visitor, signal })];
}

const textOf = (runs: readonly Measured[]): string =>
  runs
    .map(({ facts = {} }) => Object.entries(facts).map(([name, value]) => `${name} ${value.toFixed(0)}`))
    .map((facts) => facts.join(' '))
    .join(', ');

const sizeOf = ({ quick }: BenchOptions) =>
  quick ? { hosts: 300, days: 7, downloads: 5_000 } : { hosts: 10_000, days: 30, downloads: 300_000 };

const titleOf = (options: BenchOptions): string => {
  const { hosts, days } = sizeOf(options);
  return `${hosts} hosts, ${days} days of history`;
};

async function enterFleet({ database }: QueueLab, options: BenchOptions): Promise<void> {
  let last = '';
  const report = (step: string): void => {
    if (step !== last) options.say(`seeding: ${step}`);
    last = step;
  };
  await seed(database, {
    ...{ ...sizeOf(options), now: new Date(), onlineForMs: 12 * HOUR_MS },
    migrations: findProjectFiles(import.meta.url).migrations,
    report,
  });
}

type Visitor = NonNullable<BrowserContextOptions['storageState']>;

async function signIn(browser: Browser, { client, stack }: QueueLab): Promise<Visitor> {
  await client.createUser({ name: 'bench', role: 'admin', password: PASSWORD });
  const context = await browser.newContext();
  try {
    const page = await context.newPage();
    await page.goto(`${stack.apiUrl}/login`);
    await page.getByLabel('Name').fill('bench');
    await page.getByLabel('Password').fill(PASSWORD);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('heading', { level: 1, name: 'Overview' }).waitFor();
    return await context.storageState();
  } finally {
    await context.close();
  }
}

/** Opens the page in a browser that has kept nothing, and once more. */
async function visits(browser: Browser, url: string, visitor: Visitor, throttle: number): Promise<Measured[]> {
  const context = await browser.newContext({
    ...{ storageState: visitor, viewport: VIEWPORT, reducedMotion: 'reduce' as const, locale: 'en-US' },
  });
  try {
    await context.addInitScript(NOTE_PAINTS);
    return [await visit(await context.newPage(), url, throttle), await visit(await context.newPage(), url, throttle)];
  } finally {
    await context.close();
  }
}

/** Runs in the page, before its own scripts. */
const NOTE_PAINTS = `
  globalThis.noted = {};
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) globalThis.noted.lcpMs = entry.startTime;
  }).observe({ type: 'largest-contentful-paint', buffered: true });
  new MutationObserver((_, observer) => {
    if (document.querySelector('h1') === null) return;
    globalThis.noted.headingMs = performance.now();
    observer.disconnect();
  }).observe(document, { childList: true, subtree: true });
`;

async function visit(page: Page, url: string, throttle: number): Promise<Measured> {
  const session = await page.context().newCDPSession(page);
  await session.send('Emulation.setCPUThrottlingRate', { rate: throttle });
  await session.send('Performance.enable');
  const startedAt = performance.now();
  await page.goto(url);
  await page.locator('.uplot').nth(1).waitFor({ timeout: PATIENCE_MS });
  await page.locator('.skeleton').first().waitFor({ state: 'detached', timeout: PATIENCE_MS });
  const wallMs = performance.now() - startedAt;
  const facts = await page.evaluate<Record<string, number>>('globalThis.noted');
  const { metrics } = await session.send('Performance.getMetrics');
  const valueOf = (name: string): number => metrics.find((metric) => metric.name === name)?.value ?? NaN;
  await page.close();
  return { wallMs, cpuMs: 1000 * valueOf('TaskDuration'), peakBytes: valueOf('JSHeapUsedSize'), facts };
}
