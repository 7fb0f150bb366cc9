import { z } from 'zod';
import { labelValueProblem } from '#core/selector/selector';
import { DAY_MS, parseDuration, SECOND_MS } from '#core/units';
import { parsedBy } from '../parsed-by.ts';
import { Count, Moment } from './parameters.ts';

const SiteName = z
  .string()
  .min(1, 'a site has a name: the value of the label `site`')
  .superRefine((name, context) => {
    const problem = labelValueProblem(name);
    if (problem !== undefined) context.addIssue({ code: 'custom', message: `"${name.slice(0, 100)}" ${problem}` });
  })
  .describe('value of the label `site` of its hosts');

export const SiteParams = z.strictObject({ site: SiteName });

const MAX_WINDOW_DAYS = 31;

const Window = parsedBy(z.string().max(20), (text) => {
  const ms = Math.round(parseDuration(text));
  if (ms >= SECOND_MS && ms <= MAX_WINDOW_DAYS * DAY_MS) return ms;
  throw new RangeError(`"${text}" is not between 1s and ${MAX_WINDOW_DAYS}d`);
}).describe('length of the window that moves with the time, such as `1h` or `24h`');

export const SiteBudgetBody = z
  .strictObject({
    bytes: z
      .number()
      .int('a budget is a whole number of bytes')
      .min(1, 'a budget is at least 1 byte')
      .max(Number.MAX_SAFE_INTEGER)
      .describe('most bytes that rollouts and repairs begin to bring to hosts of the site within a window'),
    per: Window,
  })
  .meta({ examples: [{ bytes: 500_000_000_000, per: '24h' }] });

export type SiteBudgetInput = z.input<typeof SiteBudgetBody>;

const SiteBudget = z.strictObject({
  bytes: Count,
  windowSeconds: z.number(),
  usedBytes: Count.describe(
    'begun within the window that ends now: of hosts at work what they lacked, of the others what they moved from outside the site',
  ),
  freeBytes: Count,
  freesAt: Moment.nullable().describe('when the oldest of them leaves the window; null: there are none'),
  setBy: z.string(),
  setAt: Moment,
});

export const SiteLimitBody = z
  .strictObject({
    bytesPerSecond: z
      .number()
      .int('a limit is a whole number of bytes per second')
      .min(1, 'a limit is at least 1 byte per second')
      .max(Number.MAX_SAFE_INTEGER)
      .describe('most bytes that enter the site in a second, over all of its hosts that announce themselves'),
  })
  .meta({ examples: [{ bytesPerSecond: 25_000_000 }] });

export type SiteLimitInput = z.input<typeof SiteLimitBody>;

const SiteLimit = z.strictObject({ bytesPerSecond: Count, setBy: z.string(), setAt: Moment });

export const Site = z
  .strictObject({
    site: z.string(),
    hosts: Count,
    onlineHosts: Count,
    waitingRepairs: Count.describe(
      'hosts with lost files whose repair waits for other hosts of the site, or for the budget',
    ),
    budget: SiteBudget.nullable().describe('null: without limit'),
    limit: SiteLimit.nullable().describe('how fast bytes may enter the site; null: without limit'),
    days: z
      .array(z.strictObject({ day: z.iso.date(), bytes: Count }))
      .describe(
        'what rollouts and repairs under a budget moved to the site, by day (UTC) of the last 30 and today, newest first',
      ),
  })
  .meta({ id: 'Site' });

export type Site = z.infer<typeof Site>;

export const SiteList = z.strictObject({ sites: z.array(Site) }).meta({ id: 'SiteList' });

export type SiteList = z.infer<typeof SiteList>;
