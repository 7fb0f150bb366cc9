import type { ApiClient } from '#client/client';
import type { Rollout } from '#contracts/http/rollouts/rollout';
import type { RolloutDisplay } from './rollout-progress.ts';
import { reconnecting } from './reconnect.ts';
import { failedLine } from './rollout-text.ts';

export interface WatchOptions {
  /** `threshold` ends as soon as enough hosts have the models. */
  readonly until: 'all' | 'threshold';
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
    reconnecting(work, maxDisconnectMs, signal, (error) => display.say(`${error.message}; trying again`));
  try {
    for (;;) {
      if (rollout.counts.failed + rollout.counts.timedOut > told.size)
        await call(() => tellFailures(client, rollout, told, display));
      display.update(rollout);
      if (rollout.isFinal || (until === 'threshold' && rollout.threshold.met)) return rollout;
      const { id, version } = rollout;
      rollout = await call(() => client.waitForRollout(id, { waitMs: POLL_MS, after: version, signal }));
    }
  } finally {
    display.end();
  }
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
