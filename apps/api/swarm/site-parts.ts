import type { AnnounceBody, AnsweredFile } from '#contracts/swarm';
import { LEECHING_INTERVAL_MS, MISSED_INTERVALS } from '#core/swarm/lease-time';
import { noteSiteHost } from '#queue/swarm/site-hosts';
import type { Dependencies } from '../dependencies.ts';
import type { Announcer } from './announcer.ts';

/** Hosts that are told so fetch by themselves. */
const UNLED: ReadonlySet<AnsweredFile['wait']> = new Set<AnsweredFile['wait']>(['hidden', 'quarantined', 'foreign']);

/**
 * The part of a host in the limit of its site: equal parts for all hosts that fetch from outside of the site at the moment. Those are hosts
 * with a lease, hosts that no lease leads, and hosts that say so.
 *
 * @returns bytes per second; null for a site without a limit
 */
export async function partOfSite(
  { queues, prefix }: Pick<Dependencies, 'queues' | 'prefix'>,
  { host, site, bytesPerSecond }: Announcer,
  { isFetching, files }: Pick<AnnounceBody, 'isFetching' | 'files'>,
  answers: readonly AnsweredFile[],
): Promise<number | null> {
  if (bytesPerSecond === null) return null;
  const leeching = new Set(files.filter(({ state }) => state === 'leeching').map(({ cid }) => cid));
  const fetches =
    isFetching || answers.some(({ cid, leases, wait }) => leases.length > 0 || (leeching.has(cid) && UNLED.has(wait)));
  const noted = { site, host, isFetching: fetches };
  const hosts = await noteSiteHost(queues.redis, prefix, noted, MISSED_INTERVALS * LEECHING_INTERVAL_MS);
  return Math.max(1, Math.floor(bytesPerSecond / hosts));
}
