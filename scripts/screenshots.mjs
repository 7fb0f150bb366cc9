import { mkdirSync } from 'node:fs';
import { openPage } from './picture-browser.mjs';
import { at, say } from './project.mjs';

/**
 * Takes the pictures of the README from a running installation, such as one that `npm run seed` filled:
 *
 *   HAULIER_URL=http://127.0.0.1:7420 HAULIER_USER=ada HAULIER_PASSWORD=… CHROMIUM=/usr/bin/chromium node scripts/screenshots.mjs
 */
const FOLDER = at('docs/images');
const SIZE = { width: 1280, height: 860 };

async function picture(colorScheme) {
  const { page, close } = await openPage({ colorScheme, viewport: SIZE });
  try {
    await page.locator('.skeleton').first().waitFor({ state: 'detached' });
    await page.locator('.uplot').first().waitFor();
    // Both are loaded after the page.
    await page.getByRole('button', { name: /^Menu of / }).waitFor();
    await page.getByRole('combobox', { name: /^Search/ }).waitFor();
    const path = `${FOLDER}/overview-${colorScheme}.png`;
    await page.screenshot({ path });
    say(path);
  } finally {
    await close();
  }
}

try {
  mkdirSync(FOLDER, { recursive: true });
  for (const colorScheme of ['light', 'dark']) await picture(colorScheme);
} catch (error) {
  say(error.message);
  process.exitCode = 1;
}
