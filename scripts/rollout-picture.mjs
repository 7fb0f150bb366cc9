import { Buffer } from 'node:buffer';
import { writeFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import gifenc from 'gifenc';
import { PNG } from 'pngjs';
import { openPage } from './picture-browser.mjs';
import { at, say } from './project.mjs';

/**
 * Takes the animated picture of the README: the next rollout of a running installation, from its start to its end.
 *
 *   npm run demo -- fleet        # in another terminal; it shows a link to the dashboard, which signs in once
 *   HAULIER_LINK=http://127.0.0.1:7420/login#code=… HAULIER_ROLLOUT=@2.0 CHROMIUM=/usr/bin/chromium node scripts/rollout-picture.mjs
 *
 * The name of the rollout contains HAULIER_ROLLOUT. HAULIER_URL, HAULIER_USER and HAULIER_PASSWORD do in place of the link.
 */
const FILE = at('docs/images/rollout.gif');
const SIZE = { width: 960, height: 600 };
/** Between two looks at the page. */
const LOOK_MS = 400;
const MAX_FRAMES = 120;
const LONGEST_MS = 180_000;
/** Each picture is shown so long, and the last one longer. */
const SHOWN_MS = 260;
const LAST_SHOWN_MS = 3500;
/** One place of the palette is for pixels that stay as they were. */
const COLORS = 127;
const TRANSPARENT = COLORS;
/** Frames whose colours make the palette. */
const SAMPLES = 6;

async function main() {
  const { page, close } = await openPage({ colorScheme: 'light', viewport: SIZE });
  try {
    await openNextRollout(page);
    const frames = await look(page);
    const bytes = gifOf(frames);
    writeFileSync(FILE, bytes);
    say(`${FILE}: ${frames.length} pictures, ${(bytes.length / 1000).toFixed(0)} kB`);
  } finally {
    await close();
  }
}

/** Waits for a rollout of the name that is active. */
async function openNextRollout(page) {
  say('waiting for a rollout to begin');
  await page.getByRole('link', { name: 'Rollouts', exact: true }).click();
  const link = page
    .getByRole('rowheader', { name: process.env.HAULIER_ROLLOUT ?? '' })
    .getByRole('link')
    .first();
  await link.waitFor({ timeout: 0 });
  await link.click();
  await page.getByRole('region', { name: 'Verdict' }).waitFor();
  // The link that signed in asks for a password, which says nothing of the rollout.
  await page.evaluate(() => globalThis.document.querySelector('main .notice')?.remove());
}

/** Pictures of the page until the rollout has ended; the same one is not taken twice. */
async function look(page) {
  const frames = [];
  let last;
  let isOver = false;
  const endsAt = Date.now() + LONGEST_MS;
  while (!isOver && frames.length < MAX_FRAMES && Date.now() < endsAt) {
    isOver = await page.locator('.page-title :is(.tone-ok, .tone-bad, .tone-warn)').isVisible();
    if (isOver) await pause(2 * LOOK_MS);
    const shot = await page.screenshot();
    if (last === undefined || !shot.equals(last)) frames.push(PNG.sync.read(shot));
    last = shot;
    await pause(LOOK_MS);
  }
  return frames;
}

/** Pixels that did not change are transparent, which is what keeps the file small. */
function gifOf(frames) {
  const { GIFEncoder, applyPalette, quantize } = gifenc;
  const gif = GIFEncoder();
  const every = Math.max(1, Math.floor(frames.length / SAMPLES));
  const samples = Buffer.concat(frames.filter((_, index) => index % every === 0).map(({ data }) => data));
  const palette = quantize(samples, COLORS);
  // The table of a GIF has a power of two of colours.
  const table = [...palette, ...Array.from({ length: COLORS + 1 - palette.length }, () => [0, 0, 0])];
  frames.forEach(({ data, width, height }, place) => {
    const index = applyPalette(data, palette);
    const before = frames[place - 1]?.data;
    if (before !== undefined)
      for (let pixel = 0; pixel < index.length; pixel += 1)
        if (data.readInt32LE(pixel * 4) === before.readInt32LE(pixel * 4)) index[pixel] = TRANSPARENT;
    gif.writeFrame(index, width, height, {
      ...(place === 0 ? { palette: table, repeat: 0 } : {}),
      delay: place === frames.length - 1 ? LAST_SHOWN_MS : SHOWN_MS,
      ...(place === 0 ? {} : { transparent: true, transparentIndex: TRANSPARENT, dispose: 1 }),
    });
  });
  gif.finish();
  return gif.bytes();
}

await main().catch((error) => {
  say(error.message);
  process.exitCode = 1;
});
