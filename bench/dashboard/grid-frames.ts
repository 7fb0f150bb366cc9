import { setTimeout as pause } from 'node:timers/promises';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import type { Database } from '#database/sql/connect';
import type { Measured } from '../measured.ts';

interface GridOptions {
  readonly browser: Browser;
  readonly database: Database;
  readonly apiUrl: string;
  readonly visitor: NonNullable<BrowserContextOptions['storageState']>;
  readonly signal: AbortSignal;
}

const CHANGES = 10;
/** Hosts that change their state at once. */
const CHANGED = 500;

/**
 * Opens a rollout of every host of the fleet, changes the state of many of them ten times, and lets the page ask each time.
 *
 * @returns the longest frame, and how many hosts there were
 */
export async function gridFrames({ browser, database, apiUrl, visitor, signal }: GridOptions): Promise<Measured> {
  const { rows } = await database.pool.query<{ id: string }>(WIDEN_SQL);
  const context = await browser.newContext({ storageState: visitor, viewport: { width: 1280, height: 860 } });
  try {
    const page = await context.newPage();
    await page.goto(`${apiUrl}/rollouts/${rows[0]!.id}`);
    await page.locator('.legend').waitFor();
    const session = await context.newCDPSession(page);
    await session.send('Performance.enable');
    const startedAt = performance.now();
    await page.evaluate(NOTE_FRAMES);
    for (let change = 0; change < CHANGES; change += 1) {
      const before = await legendOf(page);
      await database.pool.query(CHANGE_SQL, [rows[0]!.id, CHANGED, change % 2 === 0 ? 'failed' : 'done']);
      await page.evaluate(ASK_AGAIN);
      while ((await legendOf(page)) === before) await pause(20, undefined, { signal });
    }
    const wallMs = performance.now() - startedAt;
    const { metrics } = await session.send('Performance.getMetrics');
    const valueOf = (name: string): number => metrics.find((metric) => metric.name === name)?.value ?? NaN;
    const longestMs = await page.evaluate<number>('Math.max(...globalThis.frames)');
    return {
      ...{ wallMs, cpuMs: 1000 * valueOf('TaskDuration'), peakBytes: valueOf('JSHeapUsedSize') },
      facts: { longestMs },
    };
  } finally {
    await context.close();
  }
}

const legendOf = (page: Page): Promise<string | null> => page.locator('.legend').textContent();

/** Every host joins the rollout that ended last. */
const WIDEN_SQL = `
  WITH wide AS (SELECT id FROM rollouts WHERE ended_at IS NOT NULL ORDER BY ended_at DESC LIMIT 1), joined AS (
    INSERT INTO rollout_hosts (rollout_id, host, site, position, state, updated_at)
    SELECT wide.id, h.name, '', 0, 'done', now() FROM hosts h, wide ON CONFLICT DO NOTHING
  )
  SELECT id FROM wide`;

const CHANGE_SQL = `
  UPDATE rollout_hosts SET state = $3
  WHERE rollout_id = $1 AND host IN (SELECT host FROM rollout_hosts WHERE rollout_id = $1 AND state <> $3 ORDER BY random() LIMIT $2)`;

/** As when the tab is shown again. */
const ASK_AGAIN = `document.dispatchEvent(new Event('visibilitychange'))`;

const NOTE_FRAMES = `(() => {
  globalThis.frames = [];
  let last;
  const note = (now) => {
    if (last !== undefined) globalThis.frames.push(now - last);
    last = now;
    requestAnimationFrame(note);
  };
  requestAnimationFrame(note);
})()`;
