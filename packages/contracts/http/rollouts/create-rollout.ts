import { z } from 'zod';
import { DAY_MS, HOUR_MS, MINUTE_MS, parseDuration, SECOND_MS } from '#core/units';
import { SelectorText } from '../../labels.ts';
import { ModelName, ModelVersion } from '../../manifest.ts';
import { parsedBy } from '../../parsed-by.ts';
import { CommandName } from '../../worker/commands-file.ts';
import { HostName, MAX_PRIORITY } from '../../worker/download-job.ts';

const MAX_HOSTS = 1_000_000;
const MAX_WAVES = 1000;
const MAX_DEADLINE_MS = 400 * DAY_MS;
const MAX_ORIGIN_COPIES = 9_999;

/** Percent with at most two decimals, so that it is a whole number of hundredths. */
const Percent = z
  .number()
  .min(0, 'a share is 0 to 100 percent')
  .max(100, 'a share is 0 to 100 percent')
  .refine(
    (percent) => Number.isInteger(Math.round(percent * 1e6) / 1e4),
    'a share has at most two decimals, such as 99.95',
  );
const SomePercent = Percent.refine((percent) => percent > 0, 'a share of hosts is more than 0 percent');
const Hosts = z.number().int('a number of hosts is a whole number').min(1, 'at least 1 host').max(MAX_HOSTS);

const duration = (leastMs: number, least: string) =>
  parsedBy(z.string(), parseDuration).refine(
    (ms) => ms >= leastMs && ms <= MAX_DEADLINE_MS,
    `a duration from ${least} to 400d, such as 30m`,
  );

const Size = {
  hosts: Hosts.optional().describe('so many more hosts'),
  percent: SomePercent.optional().describe('as many as bring all opened hosts to this share of the targeted ones'),
};

const oneSize = (size: { hosts?: number | undefined; percent?: number | undefined }): boolean =>
  (size.hosts === undefined) !== (size.percent === undefined);

const Wave = z
  .strictObject({
    name: z.string().min(1).max(60).optional(),
    ...Size,
    gate: z
      .enum(['auto', 'manual'])
      .default('auto')
      .describe('manual: a person resumes the rollout to open the next wave'),
    soak: duration(0, '0s').default(0).describe('time between the end of the wave and the next one'),
    prefer: SelectorText.optional().describe('hosts that this wave takes first'),
    ramp: z
      .strictObject({
        base: Hosts.describe('active hosts at once, at the start'),
        factor: z.number().min(1).max(100),
        everySuccesses: Hosts.describe('the limit is multiplied after so many successes'),
      })
      .optional(),
  })
  .refine(oneSize, { path: ['hosts'], error: 'give `hosts` or `percent`, one of them' });

export type WaveInput = z.infer<typeof Wave>;

const Abort = z
  .strictObject({
    failedPercent: SomePercent.optional().describe('of the finished hosts of the wave; the boundary itself trips it'),
    failedHosts: Hosts.optional(),
    minSample: Hosts.default(1).describe('finished hosts below which nothing trips'),
    action: z
      .enum(['pause', 'stop'])
      .default('pause')
      .describe('`pause` lets running hosts go on; `stop` fails the rollout'),
  })
  .refine(({ failedPercent, failedHosts }) => failedPercent !== undefined || failedHosts !== undefined, {
    path: ['failedPercent'],
    error: 'give `failedPercent`, `failedHosts` or both',
  });

const Window = z.strictObject({
  cron: z.string().min(9).max(100).describe('minute, hour, day of the month, month, day of the week'),
  for: duration(MINUTE_MS, '1m').describe('how long the window stays open'),
  tz: z
    .string()
    .min(1)
    .max(60)
    .default('UTC')
    .describe('IANA name of the time zone, such as Europe/Berlin; `host`: that of each host'),
});

const ModelAtVersion = z
  .string()
  .max(300)
  .transform((text, context) => {
    const at = text.indexOf('@');
    const [name, version] = at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
    const parsed = z.object({ name: ModelName, version: ModelVersion.optional() }).safeParse({ name, version });
    if (parsed.success) return parsed.data;
    context.addIssue({
      code: 'custom',
      message: `"${text}" is no model: write name@version; ${parsed.error.issues[0]!.message}`,
    });
    return z.NEVER;
  });

const Body = z.strictObject({
  models: z
    .array(ModelAtVersion)
    .min(1)
    .max(16)
    .refine((models) => new Set(models.map(({ name }) => name)).size === models.length, 'name each model once')
    .describe('`name@version`; without a version the pinned or newest one'),
  selector: SelectorText,
  exclude: z.array(HostName).max(10_000).default([]).describe('hosts that are left out although they match'),
  waves: z.array(Wave).min(1).max(MAX_WAVES).optional().describe('left out: one wave of all hosts'),
  canary: Hosts.optional().describe('a first wave of so many hosts, before `batch`'),
  batch: z
    .strictObject(Size)
    .refine(oneSize, 'give `hosts` or `percent`, one of them')
    .optional()
    .describe('waves of equal size'),
  success: z
    .strictObject({ percent: Percent })
    .default({ percent: 100 })
    .describe('share of the targeted hosts that must succeed'),
  abort: Abort.optional(),
  onFailure: z
    .enum(['stop', 'continue'])
    .default('stop')
    .describe('when success is out of reach: end, or go on with the other hosts'),
  offline: z.enum(['wait', 'skip', 'fail']).default('wait'),
  host: z
    .strictObject({
      stall: duration(SECOND_MS, '1s')
        .default(15 * MINUTE_MS)
        .describe('longest time of a host without a new byte'),
      deadline: duration(SECOND_MS, '1s').optional().describe('longest time of a host, from its dispatch'),
    })
    .default({ stall: 15 * MINUTE_MS }),
  deadline: duration(SECOND_MS, '1s')
    .default(24 * HOUR_MS)
    .describe('of the rollout, on the server'),
  concurrency: z
    .strictObject({ global: Hosts.optional(), perSite: Hosts.optional().describe('by the label `site`') })
    .default({})
    .describe('most active hosts at once'),
  mode: z
    .enum(['download', 'activate'])
    .optional()
    .describe(
      '`download` only stores the models; `activate` tells each host that has every file to show them. Left out: shown as soon as the last file is there',
    ),
  commands: z
    .strictObject({ before: CommandName.optional(), after: CommandName.optional() })
    .optional()
    .describe('with `mode: activate`: run on each host around it, by their names in HAULIER_COMMANDS of its worker'),
  priority: z
    .number()
    .int('a priority is a whole number')
    .min(1, 'a priority is 1 (first) to 1000000')
    .max(MAX_PRIORITY, 'a priority is 1 (first) to 1000000')
    .optional()
    .describe('1 is first, among rollouts and among the jobs of a host; what has none goes before all numbers'),
  originCopies: z
    .number()
    .int('a number of copies is a whole number')
    .min(1, 'at least 1 copy leaves the origin')
    .max(MAX_ORIGIN_COPIES)
    .optional()
    .describe(
      'how many copies of each file its hosts may take from the origin while other hosts can give it; left out: 1, and sites feed each other',
    ),
  dynamic: z
    .boolean()
    .default(false)
    .describe('hosts that match later get the models too; they are not in the verdict'),
  hold: z
    .boolean()
    .default(false)
    .describe(
      'once it succeeded, hosts that match later, or return without the models, get them too, until it is released; implies `dynamic`',
    ),
  supersede: z
    .enum(['same-model', 'none'])
    .default('same-model')
    .describe('takes hosts away from older rollouts of the same model'),
  startsAt: z.iso.datetime({ offset: true }).optional(),
  windows: z.array(Window).min(1).max(20).optional().describe('hosts begin only while one of them is open'),
  approval: z.enum(['none', 'required']).default('none'),
  allowEmpty: z.boolean().default(false).describe('no matching host is a success instead of an error'),
});

export const CreateRolloutBody = Body.refine(
  ({ waves, canary, batch }) => waves === undefined || (canary ?? batch) === undefined,
  {
    path: ['waves'],
    error: 'give `waves`, or `canary` and `batch`, not both',
  },
)
  .refine(({ mode, commands }) => commands === undefined || mode === 'activate', {
    path: ['commands'],
    error: 'commands need `mode: activate`',
  })
  .meta({
    examples: [
      {
        models: ['whisper-base@1.2'],
        selector: 'gpu=true,site in (eu-1,eu-2)',
        waves: [
          { name: 'canary', hosts: 2, gate: 'manual', soak: '10m' },
          { percent: 10 },
          { percent: 100, ramp: { base: 50, factor: 2, everySuccesses: 50 } },
        ],
        success: { percent: 98 },
        abort: { failedPercent: 10, minSample: 10 },
        deadline: '6h',
      },
    ],
  });

export type CreateRolloutInput = z.input<typeof Body>;
export type CreateRolloutBody = z.infer<typeof Body>;

export const CreateRolloutQuery = z.strictObject({
  dryRun: z
    .enum(['true', 'false'])
    .default('false')
    .transform((text) => text === 'true')
    .describe('answers what would happen, and changes nothing'),
});

export const CreateRolloutHeaders = z.object({
  'idempotency-key': z
    .string()
    .min(1)
    .max(255)
    .optional()
    .describe('the same key with the same body finds the same rollout, for seven days'),
});
