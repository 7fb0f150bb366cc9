import { mkdirSync } from 'node:fs';
import { at, say } from './project.mjs';

/**
 * Takes the pictures of the README from a running installation, such as one that `npm run seed` filled:
 *
 *   HAULIER_URL=http://127.0.0.1:7420 HAULIER_USER=ada HAULIER_PASSWORD=… CHROMIUM=/usr/bin/chromium node scripts/screenshots.mjs
 */
const { HAULIER_URL, HAULIER_USER, HAULIER_PASSWORD, CHROMIUM } = process.env;
const FOLDER = at('docs/images');
const SIZE = { width: 1280, height: 860 };

async function main() {
  const missing = Object.entries({ HAULIER_URL, HAULIER_USER, HAULIER_PASSWORD }).filter(([, value]) => !value);
  if (missing.length > 0) throw new Error(`set ${missing.map(([name]) => name).join(', ')}`);
  const { chromium } = await import('playwright-core');
  const executablePath = CHROMIUM ?? (await (await import('@sparticuz/chromium')).default.executablePath());
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
  try {
    mkdirSync(FOLDER, { recursive: true });
    for (const colorScheme of ['light', 'dark']) await picture(browser, colorScheme);
  } finally {
    await browser.close();
  }
}

async function picture(browser, colorScheme) {
  const page = await (await browser.newContext({ colorScheme, viewport: SIZE, reducedMotion: 'reduce' })).newPage();
  await page.goto(HAULIER_URL);
  await page.getByLabel('Name').fill(HAULIER_USER);
  await page.getByLabel('Password').fill(HAULIER_PASSWORD);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('heading', { level: 1, name: 'Overview' }).waitFor();
  await page.locator('.skeleton').first().waitFor({ state: 'detached' });
  await page.locator('.uplot').first().waitFor();
  const path = `${FOLDER}/overview-${colorScheme}.png`;
  await page.screenshot({ path });
  say(path);
  await page.context().close();
}

await main().catch((error) => {
  say(error.message);
  process.exitCode = 1;
});
