import type { RolloutPlan } from '#contracts/http/rollouts/rollout';
import { allowedFailures, requiredHosts } from '#core/rollout/verdict';
import { waveHosts } from '#core/rollout/wave-size';
import type { HostRow } from '#database/hosts/host-queries';
import { olderRollouts, presentBytes, usualRate } from '#database/rollouts/plan-queries';
import { budgetsBySite, freeBudgetBytes, type SiteBudget } from '#database/sites/site-budgets';
import type { Dependencies } from '../dependencies.ts';
import { isOnline } from '../hosts/view.ts';
import type { ResolvedRollout } from './create-rollout.ts';
import { siteOf } from './members.ts';

const MAX_SAMPLE = 10;
const MAX_WITHOUT_SPACE = 100;

/** What a rollout would do, by what is recorded now; nothing is written. */
export async function planRollout(deps: Dependencies, { spec, models, hosts }: ResolvedRollout): Promise<RolloutPlan> {
  const names = hosts.map(({ name }) => name);
  const [present, rate, supersedes, budgets] = await Promise.all([
    presentBytes(deps.database, models, names),
    usualRate(deps.database, deps.now()),
    spec.supersede === 'none' ? [] : olderRollouts(deps.database, models, names),
    budgetsBySite(deps.database, deps.now()),
  ]);
  const sizeBytes = models.reduce((sum, model) => sum + model.sizeBytes, 0);
  const missingOf = (host: HostRow): number => Math.max(0, sizeBytes - (present.get(host.name) ?? 0));
  const missing = hosts.reduce((sum, host) => sum + missingOf(host), 0);
  const { successShare, concurrency } = spec.policy;
  const atOnce = Math.max(1, Math.min(hosts.length, concurrency.global ?? hosts.length));
  return {
    dryRun: true,
    models: [...models],
    hosts: hosts.length,
    offlineHosts: hosts.filter((host) => !isOnline(host, deps)).length,
    sampleHosts: names.slice(0, MAX_SAMPLE),
    threshold: {
      percent: successShare / 100,
      required: requiredHosts(successShare, hosts.length),
      allowedFailures: allowedFailures(successShare, hosts.length),
    },
    waves: wavesOf(spec, hosts.length),
    sites: sitesOf(hosts, missingOf, budgets),
    bytes: { total: sizeBytes * hosts.length, present: sizeBytes * hosts.length - missing, missing },
    hostsWithoutSpace: hosts
      .filter((host) => host.freeBytes !== null && host.freeBytes < missingOf(host))
      .slice(0, MAX_WITHOUT_SPACE)
      .map((host) => ({
        host: host.name,
        freeBytes: host.freeBytes!,
        missingBytes: missingOf(host) - host.freeBytes!,
      })),
    estimateSeconds: rate === undefined ? null : Math.ceil(missing / (rate * atOnce)),
    supersedes: [...supersedes],
  };
}

function wavesOf({ policy: { waves } }: ResolvedRollout['spec'], targeted: number): RolloutPlan['waves'] {
  let opened = 0;
  const planned = waves.map((wave, index) => {
    const hosts = waveHosts(wave, targeted, opened, index === waves.length - 1);
    opened += hosts;
    return { name: wave.name, hosts };
  });
  return planned.filter(({ hosts }) => hosts > 0);
}

function sitesOf(
  hosts: readonly HostRow[],
  missingOf: (host: HostRow) => number,
  budgets: ReadonlyMap<string, SiteBudget>,
): RolloutPlan['sites'] {
  const sites = new Map<string, { hosts: number; bytes: number }>();
  for (const host of hosts) {
    const { hosts: count, bytes } = sites.get(siteOf(host)) ?? { hosts: 0, bytes: 0 };
    sites.set(siteOf(host), { hosts: count + 1, bytes: bytes + missingOf(host) });
  }
  return [...sites]
    .map(([site, sums]) => ({ site, ...sums, freeBudgetBytes: freeBudgetBytes(budgets.get(site)) }))
    .sort((a, b) => b.bytes - a.bytes || (a.site < b.site ? -1 : 1));
}
