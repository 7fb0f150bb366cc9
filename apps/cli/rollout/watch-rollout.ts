import type { ApiClient } from '#client/client';
import type { Rollout } from '#contracts/http/rollouts/rollout';
import type { RolloutHost } from '#contracts/http/rollouts/rollout-lists';
import type { RolloutDetails, RolloutDisplay } from './rollout-progress.ts';
import { printable } from '../terminal/cells.ts';
import { reconnecting } from './reconnect.ts';
import { failedLine } from './rollout-text.ts';

export interface WatchOptions {
  /** Asked each time the rollout went on: true ends the watching before the verdict. Left out: only the verdict does. */
  readonly until?: ((rollout: Rollout) => boolean) | undefined;
  readonly maxDisconnectMs: number;
  readonly display: RolloutDisplay;
  readonly signal: AbortSignal;
}

const POLL_MS = 55_000;
/** More failures than this are only counted. */
const MAX_FAILURES_SHOWN = 10;

/**
 * Follows a rollout by long-polls until it has its verdict. Its state is looked at before anything is waited for.
 *
 * @returns how it stands then
 * @throws the signal's reason when it is aborted; the rollout goes on
 * @throws UnreachableError or ApiError when the API stays away for longer than it may
 */
export async function watchRollout(client: ApiClient, first: Rollout, options: WatchOptions): Promise<Rollout> {
  const { display, signal, until, maxDisconnectMs } = options;
  const told = new Set<string>();
  let rollout = first;
  const call = <T>(work: () => Promise<T>): Promise<T> =>
    reconnecting(work, maxDisconnectMs, signal, (error) => display.say(`${printable(error.message)}; trying again`));
  try {
    for (;;) {
      if (rollout.counts.failed + rollout.counts.timedOut > told.size)
        await call(() => tellFailures(client, rollout, told, display));
      const isLast = until?.(rollout) === true || rollout.isFinal;
      const wanted = rollout.isFinal ? 'none' : display.detailsFor(rollout);
      display.update(rollout, wanted === 'none' ? undefined : await call(() => detailsOf(client, rollout, wanted)));
      if (isLast) return rollout;
      const { id, version } = rollout;
      rollout = await call(() => client.waitForRollout(id, { waitMs: POLL_MS, after: version, signal }));
    }
  } finally {
    display.end();
  }
}

async function detailsOf(client: ApiClient, rollout: Rollout, wanted: 'sources' | 'all'): Promise<RolloutDetails> {
  const [hosts, { sources }] = await Promise.all([
    wanted === 'all' ? slowestHosts(client, rollout) : [],
    client.listRolloutSources(rollout.id),
  ]);
  return { hosts, sources };
}

const AT_WORK = ['queued', 'downloading', 'verifying', 'staged', 'activating', 'unknown'];
const MAX_SHOWN_HOSTS = 5;

/** Of the first page of hosts at work those that have the smallest share of their bytes. */
async function slowestHosts(client: ApiClient, { id, counts }: Rollout): Promise<RolloutHost[]> {
  if (counts.running + counts.unknown === 0) return [];
  const { hosts } = await client.listRolloutHosts(id, { state: AT_WORK, limit: 500 });
  const shareOf = ({ bytes, totalBytes }: RolloutHost): number => (totalBytes === 0 ? 0 : bytes / totalBytes);
  return [...hosts].sort((a, b) => shareOf(a) - shareOf(b)).slice(0, MAX_SHOWN_HOSTS);
}

async function tellFailures(
  client: ApiClient,
  { id }: Rollout,
  told: Set<string>,
  display: RolloutDisplay,
): Promise<void> {
  if (told.size >= MAX_FAILURES_SHOWN) return;
  const { hosts } = await client.listRolloutHosts(id, { state: ['failed'], limit: 500 });
  for (const host of hosts) {
    if (told.has(host.host) || told.size >= MAX_FAILURES_SHOWN) continue;
    told.add(host.host);
    display.say(failedLine(host));
  }
  if (told.size >= MAX_FAILURES_SHOWN) display.say('further failures are only counted');
}
