const { HAULIER_URL, HAULIER_USER, HAULIER_PASSWORD, HAULIER_LINK, CHROMIUM } = process.env;

/**
 * Opens the overview of a running installation, signed in.
 *
 * @param options of the browser's context; animations are off
 * @throws Error that names the variables that are missing
 */
export async function openPage(options) {
  const { chromium } = await import('playwright-core');
  const executablePath = CHROMIUM ?? (await (await import('@sparticuz/chromium')).default.executablePath());
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
  try {
    const page = await (await browser.newContext({ ...options, reducedMotion: 'reduce', locale: 'en-US' })).newPage();
    await signIn(page);
    await page.getByRole('heading', { level: 1, name: 'Overview' }).waitFor();
    return { page, close: () => browser.close() };
  } catch (error) {
    await browser.close();
    throw error;
  }
}

async function signIn(page) {
  if (HAULIER_LINK) return void (await page.goto(HAULIER_LINK));
  const missing = Object.entries({ HAULIER_URL, HAULIER_USER, HAULIER_PASSWORD }).filter(([, value]) => !value);
  if (missing.length > 0) throw new Error(`set ${missing.map(([name]) => name).join(', ')}, or HAULIER_LINK`);
  await page.goto(HAULIER_URL);
  await page.getByLabel('Name').fill(HAULIER_USER);
  await page.getByLabel('Password').fill(HAULIER_PASSWORD);
  await page.getByRole('button', { name: 'Sign in' }).click();
}
