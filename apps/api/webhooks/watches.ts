import type { ListedSource } from '#contracts/http/sources';
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from '#core/units';
import { noteLayers } from '#database/history/metrics-queries';
import { noteSources, type ChangedSource } from '#database/history/note-sources';
import { notePresence } from '#database/hosts/note-presence';
import { forgetEvents } from '#database/webhooks/delivery-queries';
import { createLoop, type Loop } from '../background/loop.ts';
import type { Dependencies } from '../dependencies.ts';
import { allSources, type SourceDeps } from '../sources/all-sources.ts';
import { sourceChanged } from '../sources/view.ts';

type WatchDeps = Pick<Dependencies, 'database' | 'changes' | 'now' | 'log' | 'hostOfflineAfterMs'>;

const HOSTS_EVERY_MS = 5 * SECOND_MS;
const SOURCES_EVERY_MS = 30 * SECOND_MS;
const SOURCES_WINDOW_MS = 10 * MINUTE_MS;

/**
 * Notes hosts that go offline and come back. Hosts are judged only once the ways on which they report, Redis and Postgres, have been
 * up for as long as a host may be silent; else an outage of our own would make every host look offline.
 *
 * @param checkWays throws while a host that reports could not be heard
 */
export function createHostWatch(deps: WatchDeps, checkWays: () => Promise<unknown>): Loop {
  let hearingSinceMs: number | undefined;
  return createLoop({
    name: 'host-watch',
    everyMs: HOSTS_EVERY_MS,
    log: deps.log,
    round: async () => {
      try {
        await checkWays();
        const now = deps.now();
        hearingSinceMs ??= now.getTime();
        if (now.getTime() - hearingSinceMs >= deps.hostOfflineAfterMs) await judgeHosts(deps, now);
      } catch (error) {
        hearingSinceMs = undefined;
        throw error;
      }
      return false;
    },
  });
}

async function judgeHosts({ database, changes, log, hostOfflineAfterMs }: WatchDeps, now: Date): Promise<void> {
  const { gone, back } = await notePresence(database, new Date(now.getTime() - hostOfflineAfterMs), now);
  changes.notify(
    [...gone, ...back].map(({ name }) => name),
    'hosts',
  );
  for (const { name, lastSeenAt } of gone) log.warn({ host: name, lastSeenAt }, 'host is offline');
  for (const { name } of back) log.info({ host: name }, 'host is online again');
}

/** Notes sources that degrade and recover. */
export const createSourceWatch = (deps: WatchDeps & SourceDeps): Loop =>
  createLoop({
    name: 'source-watch',
    everyMs: SOURCES_EVERY_MS,
    log: deps.log,
    round: async () => {
      const { database, now, log } = deps;
      const at = now();
      await noteLayers(database, new Date(at.getTime() - DAY_MS), at);
      const changed = await noteSources(database, new Date(at.getTime() - SOURCES_WINDOW_MS), at);
      if (changed.length > 0) await tellSources(deps, changed);
      for (const { state, ...source } of changed)
        if (state === 'degraded') log.warn(source, 'source is degraded');
        else log.info(source, 'source recovered');
      return false;
    },
  });

async function tellSources(
  deps: SourceDeps & Pick<WatchDeps, 'changes'>,
  changed: readonly ChangedSource[],
): Promise<void> {
  const isChanged = ({ origin }: ListedSource): boolean => changed.some(({ source }) => source.startsWith(origin));
  deps.changes.tell({ sources: (await allSources(deps)).filter(isChanged).map(sourceChanged) });
}

/** Forgets what was told long ago. @param historyMs how long it is kept */
export const createWebhookHistory = ({ database, now, log }: WatchDeps, historyMs: number): Loop =>
  createLoop({
    name: 'webhook-history',
    everyMs: HOUR_MS,
    log,
    round: async () => {
      const forgotten = await forgetEvents(database, new Date(now().getTime() - Math.max(historyMs, DAY_MS)));
      if (forgotten > 0) log.info({ forgotten }, 'old webhook events were forgotten');
      return false;
    },
  });
