import { randomUUID } from 'node:crypto';
import { HostActionBody, HostActionResult, MAX_SKIPPED_HOSTS } from '#contracts/http/hosts';
import { DryRunQuery } from '#contracts/http/parameters';
import { mapConcurrently } from '#core/async/map-concurrently';
import { selectableOf } from '#core/selector/host-labels';
import { isSelected } from '#core/selector/selector';
import { patchLabelsOf, setDrainingOf } from '#database/hosts/host-actions';
import { hostMarks, type HostMarks } from '#database/hosts/host-marks';
import { publishOrders } from '#queue/commands/host-orders';
import { noteForAudit } from '../access/audit/audit-writes.ts';
import type { Dependencies } from '../dependencies.ts';
import { TOKEN_REQUIRED, guardedBy, problems } from '../server/describe.ts';
import type { App } from '../server/app-type.ts';
import { RequestError } from '../server/errors/request-error.ts';
import { hostFilter } from './host-filter.ts';
import { forget } from './life-routes.ts';
import { isOnline, whyNotForgotten } from './view.ts';

/** Each takes a transaction, and a change of a user in Redis. */
const FORGOTTEN_AT_ONCE = 8;

/** One action on many hosts, answered when it is done. */
export function registerHostBulk(app: App, deps: Dependencies): void {
  app.post(
    '/api/host-actions',
    {
      ...guardedBy('write'),
      schema: {
        operationId: 'actOnHosts',
        summary: 'Drain, undrain, label, verify or forget many hosts',
        description:
          'For hosts by name, or for all that a filter matches. A host that cannot be acted on is skipped and named: a host whose worker ' +
          'runs is not forgotten. Repeating it changes no more hosts. `?dryRun=true` answers the counts, and changes nothing.',
        tags: ['hosts'],
        security: TOKEN_REQUIRED,
        querystring: DryRunQuery,
        body: HostActionBody,
        response: { 200: HostActionResult, ...problems(400) },
      },
    },
    async (request) => {
      const { body, query } = request;
      const plan = await planOf(deps, body);
      if (query.dryRun) return resultOf(body, { ...plan, changed: plan.names.length }, true);
      const outcome = await carryOut(deps, body, plan);
      if (outcome.changed > 0) {
        deps.nudgeConductor();
        deps.changes.notify(plan.names, 'hosts');
      }
      const result = resultOf(body, outcome, false);
      noteForAudit(request, { target: 'hosts', after: result.counts });
      return result;
    },
  );
}

interface Skipped {
  readonly host: string;
  readonly reason: string;
}

interface Plan {
  /** Hosts that the action changes. */
  readonly names: readonly string[];
  readonly unchanged: number;
  readonly skipped: readonly Skipped[];
}

interface Outcome extends Omit<Plan, 'names'> {
  readonly changed: number;
}

async function planOf(deps: Dependencies, { action, hosts, labels }: HostActionBody): Promise<Plan> {
  const { names, ...filter } = hosts;
  const which = names === undefined ? hostFilter(deps, filter) : { names, selector: [] };
  const read = await hostMarks(deps.database, which);
  const found = read.filter((row) => isSelected(which.selector, selectableOf(row)));
  const known = new Set(found.map(({ name }) => name));
  const unknown = [...new Set(names)].filter((name) => !known.has(name));
  const skipped = unknown.map((host) => ({ host, reason: 'no host has this name' }));
  const online = action === 'forget' ? found.filter((row) => isOnline(row, deps)) : [];
  skipped.push(...online.map((row) => ({ host: row.name, reason: whyNotForgotten(row, deps) })));
  const able = action === 'forget' ? found.filter((row) => !isOnline(row, deps)) : found;
  const changing = able.filter((row) => {
    if (action === 'drain' || action === 'undrain') return row.draining !== (action === 'drain');
    return action !== 'label' || !hasLabels(row, labels!);
  });
  return { names: changing.map(({ name }) => name), unchanged: able.length - changing.length, skipped };
}

const hasLabels = ({ labels }: HostMarks, patch: NonNullable<HostActionBody['labels']>): boolean =>
  Object.entries(patch).every(([key, value]) => (labels[key] ?? null) === value);

/** The hosts are those of the plan; one that changed since is counted as it is found. */
async function carryOut(deps: Dependencies, { action, labels }: HostActionBody, plan: Plan): Promise<Outcome> {
  const { names, unchanged, skipped } = plan;
  if (action === 'forget') return forgetAll(deps, plan);
  if (action === 'verify') {
    await orderVerify(deps, names);
    return { changed: names.length, unchanged, skipped };
  }
  const changed =
    action === 'label'
      ? await patchLabelsOf(deps.database, names, labels!)
      : await setDrainingOf(deps.database, names, action === 'drain');
  return { changed: changed.length, unchanged: unchanged + names.length - changed.length, skipped };
}

async function orderVerify({ queues, prefix, now }: Dependencies, names: readonly string[]): Promise<void> {
  const order = { version: 1, order: 'verify', model: null, requestedAt: now().getTime() } as const;
  await publishOrders(
    queues.redis,
    prefix,
    names.map((host) => ({ host, order: { ...order, id: randomUUID() } })),
  );
}

async function forgetAll(deps: Dependencies, { names, unchanged, skipped }: Plan): Promise<Outcome> {
  const refused: Skipped[] = [];
  await mapConcurrently([...names], FORGOTTEN_AT_ONCE, async (host) => {
    try {
      await forget(deps, host);
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      refused.push({ host, reason: error.message });
    }
  });
  return { changed: names.length - refused.length, unchanged, skipped: [...skipped, ...refused] };
}

const resultOf = (
  { action }: HostActionBody,
  { changed, unchanged, skipped }: Outcome,
  dryRun: boolean,
): HostActionResult => ({
  ...{ action, dryRun },
  counts: { matched: changed + unchanged + skipped.length, changed, unchanged, skipped: skipped.length },
  skipped: skipped.slice(0, MAX_SKIPPED_HOSTS),
});
