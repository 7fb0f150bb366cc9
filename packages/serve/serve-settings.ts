import { isIP } from 'node:net';
import type { AccessRules } from './access/readers.ts';
import { visitors } from './access/readers.ts';
import type { ServeOptions } from './serve.ts';
import type { RepoAlias } from './hub/hub-repo.ts';

/** The settings HAULIER_SERVE_* as they were read. */
export interface ServeValues {
  readonly HAULIER_SERVE_BIND: string;
  readonly HAULIER_SERVE_PORT: number | undefined;
  readonly HAULIER_SERVE_NETWORKS: readonly string[];
  readonly HAULIER_SERVE_TOKENS: readonly string[];
  readonly HAULIER_SITE_KEY: string | undefined;
  readonly HAULIER_SERVE_PRIVATE: readonly string[];
  readonly HAULIER_SERVE_REPOS: readonly RepoAlias[];
  readonly HAULIER_SERVE_ALLOW: readonly string[];
  readonly HAULIER_SERVE_ORIGINS: readonly string[];
  readonly HAULIER_SERVE_RATE: number | undefined;
  readonly HAULIER_SERVE_CLIENT_RATE: number | undefined;
  readonly HAULIER_SERVE_CLIENT_REQUESTS: number | undefined;
}

/** Where and to whom a store is served. */
export interface ServeSettings extends Pick<
  ServeOptions,
  'limits' | 'totalBytesPerSecond' | 'repos' | 'privateModels' | 'origins'
> {
  readonly host: string;
  /** Undefined: the usual one, or a free one where that is taken. */
  readonly port: number | undefined;
  readonly access: AccessRules;
  /** Repositories that are fetched when they are asked for; none: nothing is. */
  readonly allow: readonly string[];
}

/** The names of the settings that `serveSettings` needs. */
export const SERVE_SETTING_NAMES = [
  'HAULIER_SERVE_BIND',
  'HAULIER_SERVE_PORT',
  'HAULIER_SERVE_NETWORKS',
  'HAULIER_SERVE_TOKENS',
  'HAULIER_SITE_KEY',
  'HAULIER_SERVE_PRIVATE',
  'HAULIER_SERVE_REPOS',
  'HAULIER_SERVE_ALLOW',
  'HAULIER_SERVE_ORIGINS',
  'HAULIER_SERVE_RATE',
  'HAULIER_SERVE_CLIENT_RATE',
  'HAULIER_SERVE_CLIENT_REQUESTS',
] as const;

/**
 * Checks the settings together.
 *
 * @param hasPeerTokens hosts with a token of the API may read the files that it names
 * @throws RangeError that names the setting, its value and what would be right
 */
export function serveSettings(values: ServeValues, hasPeerTokens = false): ServeSettings {
  const { HAULIER_SERVE_BIND: host, HAULIER_SERVE_TOKENS: tokens, HAULIER_SERVE_NETWORKS: networks } = values;
  const { HAULIER_SITE_KEY: siteKey } = values;
  const isForHosts = siteKey !== undefined || hasPeerTokens;
  const isForSite = !isLoopback(host) && isForHosts && tokens.length === 0 && networks.length === 0;
  const access = { tokens, networks: isForSite ? LOOPBACK : networks, siteKey };
  try {
    visitors(access);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new RangeError(`HAULIER_SERVE_NETWORKS: ${cause.message}`, { cause });
  }
  if (!isLoopback(host) && tokens.length === 0 && access.networks.length === 0)
    throw new RangeError(
      `HAULIER_SERVE_BIND is "${host}", which other machines reach: say who may read with HAULIER_SERVE_NETWORKS, such as ` +
        '10.0.0.0/8, with HAULIER_SERVE_TOKENS, or with HAULIER_SITE_KEY; or enrol this host',
    );
  const [bytesPerSecond, requestsPerMinute] = [values.HAULIER_SERVE_CLIENT_RATE, values.HAULIER_SERVE_CLIENT_REQUESTS];
  return {
    ...{ host, port: values.HAULIER_SERVE_PORT, access, totalBytesPerSecond: values.HAULIER_SERVE_RATE },
    limits: { bytesPerSecond, requestsPerMinute },
    ...{
      repos: values.HAULIER_SERVE_REPOS,
      allow: values.HAULIER_SERVE_ALLOW,
      privateModels: values.HAULIER_SERVE_PRIVATE,
      origins: values.HAULIER_SERVE_ORIGINS,
    },
  };
}

/** Without another rule than for the hosts of the site or of the fleet, programs of this machine read as well. */
const LOOPBACK = ['127.0.0.0/8', '::1/128'];

/** Whether only programs of this machine reach a server at this address. */
export const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
