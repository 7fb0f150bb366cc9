import type { SETTINGS, SettingOf } from '#core/settings/settings';
import type { SettingValues } from '#os/settings';
import { isLoopback, type ServeSettings } from '#serve/serve-settings';
import type { Enrolment } from '../enrolment/enrolment-file.ts';
import type { Reach } from './multicast-sockets.ts';

/** How this worker finds other hosts, and what they trust each other by. */
export interface SwarmConfig {
  /** Workers that files are shared with: `http://host:port`. */
  readonly peers: readonly string[];
  /** The secret that the hosts of the site share. */
  readonly siteKey: string | undefined;
  /** Where hosts of the local network are looked for; undefined: nowhere. */
  readonly localNetwork: Reach | undefined;
  /** The API that tells hosts of each other; undefined for a worker that is not enrolled. */
  readonly tracker: { readonly apiUrl: string; readonly workerToken: string; readonly host: string } | undefined;
}

type Values = Pick<
  SettingValues<typeof SETTINGS, SettingOf<'worker'>>,
  'HAULIER_PEERS' | 'HAULIER_SITE_KEY' | 'HAULIER_MDNS'
>;

/**
 * Checks the settings together.
 *
 * @param serve undefined for a worker that serves nothing
 * @throws RangeError that names the setting, its value and what would be right
 */
export function swarmConfig(
  { HAULIER_PEERS: peers, HAULIER_SITE_KEY: siteKey, HAULIER_MDNS: mdns }: Values,
  serve: ServeSettings | undefined,
  enrolment: Enrolment | undefined,
): SwarmConfig {
  if (typeof mdns !== 'string' && siteKey === undefined)
    throw new RangeError(
      `HAULIER_MDNS is "${mdns.interfaceAddress}", and nothing shows which hosts of that network are trusted: give them all the same HAULIER_SITE_KEY`,
    );
  const isReached = serve !== undefined && !isLoopback(serve.host);
  const isFound = typeof mdns !== 'string' || (mdns === 'auto' && isReached && siteKey !== undefined);
  const interfaceAddress = typeof mdns === 'string' ? undefined : mdns.interfaceAddress;
  const tracker = enrolment && {
    ...{ apiUrl: enrolment.apiUrl, workerToken: enrolment.workerToken, host: enrolment.host },
  };
  return {
    peers,
    siteKey,
    localNetwork: isFound && serve !== undefined ? { interfaceAddress, host: serve.host } : undefined,
    tracker,
  };
}
