import { askAhead } from './data/ask-ahead.ts';
import './style.css';

/** The first page waits at most so long for its data: to draw it once costs less than to draw it again for each answer. */
const WAIT_MS = 250;

const answered = askAhead(globalThis.location.pathname);
// Not awaited here: the pages import the file that this one is in, and would wait for its end.
void import('./start.tsx').then(async ({ start }) => {
  await Promise.race([answered, new Promise((resolve) => setTimeout(resolve, WAIT_MS))]);
  // The script is asynchronous, so a browser that kept it may run it before the end of the page.
  if (document.readyState === 'loading')
    await new Promise((resolve) => document.addEventListener('DOMContentLoaded', resolve, { once: true }));
  start();
});
