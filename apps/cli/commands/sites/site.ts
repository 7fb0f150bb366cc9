import type { Site } from '#contracts/http/sites';
import { formatBytes, formatDuration, parseBytes, SECOND_MS } from '#core/units';
import { clientFrom, withApi } from '../../api-client.ts';
import { usageOf } from '../../cli-error-of.ts';
import type { CommandContext } from '../../context.ts';
import { formatTable } from '../../terminal/table.ts';
import { optionOf } from '../../typed.ts';

interface Json {
  readonly json?: boolean;
}

export async function siteList(options: Json, context: CommandContext): Promise<void> {
  show(await withApi(() => clientFrom(context.env).listSites()), options, context);
}

/** @param size such as `500GB`; `none` takes the budget away */
export async function siteBudget(
  site: string,
  size: string,
  options: Json & { readonly per: string },
  context: CommandContext,
): Promise<void> {
  const client = clientFrom(context.env);
  const bytes = size === 'none' ? undefined : usageOf(() => optionOf('the budget', parseBytes, size));
  const changed = await withApi(() =>
    bytes === undefined ? client.dropSiteBudget(site) : client.setSiteBudget(site, { bytes, per: options.per }),
  );
  show([changed], options, context);
}

/** @param rate such as `25MB`, in a second; `none` takes the limit away */
export async function siteLimit(site: string, rate: string, options: Json, context: CommandContext): Promise<void> {
  const client = clientFrom(context.env);
  const bytesPerSecond = rate === 'none' ? undefined : usageOf(() => optionOf('the limit', parseBytes, rate));
  const changed = await withApi(() =>
    bytesPerSecond === undefined ? client.dropSiteLimit(site) : client.setSiteLimit(site, { bytesPerSecond }),
  );
  show([changed], options, context);
}

function show(sites: readonly Site[], { json }: Json, { stdout }: CommandContext): void {
  if (json) {
    stdout.write(`${JSON.stringify({ sites })}\n`);
    return;
  }
  const today = new Date().toISOString().slice(0, 10);
  const rows = sites.map(({ site, hosts, onlineHosts, waitingRepairs, budget, limit, days }) => [
    site,
    `${onlineHosts} of ${hosts}`,
    String(waitingRepairs),
    budget === null ? 'none' : `${formatBytes(budget.bytes)} in ${formatDuration(budget.windowSeconds * SECOND_MS)}`,
    budget === null ? '' : formatBytes(budget.usedBytes),
    // Without a budget nothing is counted.
    budget === null && days.length === 0 ? '' : formatBytes(days.find(({ day }) => day === today)?.bytes ?? 0),
    budget === null || budget.freeBytes > 0 ? '' : (budget.freesAt ?? ''),
    limit === null ? 'none' : `${formatBytes(limit.bytesPerSecond)}/s`,
  ]);
  const heads = ['site', 'online', 'waiting repairs', 'budget', 'used', 'moved today', 'more from', 'limit'];
  stdout.write(`${formatTable(heads, rows, [2])}\n`);
}
