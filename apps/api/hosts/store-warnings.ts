import type { SystemStatus } from '#contracts/http/status';
import { listHosts, listNotices } from '#database/hosts/host-queries';
import type { Database } from '#database/sql/connect';
import { momentOf } from '../server/requests/moment.ts';

const MAX_HOSTS = 100_000;
const MAX_NOTICES = 1000;

/** The newest warning of each host whose store is over the limit that it warned at, by what the host reported last. */
export async function standingStoreWarnings(database: Database): Promise<SystemStatus['storeWarnings']> {
  const [hosts, notices] = await Promise.all([
    listHosts(database, MAX_HOSTS),
    listNotices(database, { notice: 'store_over_limit', limit: MAX_NOTICES }),
  ]);
  const storeBytes = new Map(hosts.map(({ name, storeBytes: bytes }) => [name, bytes]));
  const latest = new Map<string, SystemStatus['storeWarnings'][number]>();
  for (const { host, shownHost, at, message, facts } of notices) {
    if (host === null || latest.has(host)) continue;
    const isOver = (storeBytes.get(host) ?? 0) > Number(facts['warnBytes'] ?? 0);
    if (isOver) latest.set(host, { host: shownHost ?? host, at: momentOf(at), message });
  }
  return [...latest.values()];
}
