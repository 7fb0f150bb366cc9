import type { HostFacetsQuery } from '#contracts/http/hosts';
import { hostKey } from '#core/text/host-name';
import { parseSelector } from '#core/selector/selector';
import type { HostRowFilter } from '#database/hosts/host-filter-sql';
import type { Dependencies } from '../dependencies.ts';

/** @throws SelectorError */
export const hostFilter = (
  { now, hostOfflineAfterMs }: Pick<Dependencies, 'now' | 'hostOfflineAfterMs'>,
  { selector = '', status, q, version, disk }: HostFacetsQuery,
): HostRowFilter => ({
  aliveSince: new Date(now().getTime() - hostOfflineAfterMs),
  status,
  namePart: q === undefined ? undefined : hostKey(q),
  versions: version,
  isLowOnDisk: disk === 'low',
  selector: parseSelector(selector),
});
