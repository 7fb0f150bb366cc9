import { SETTINGS, settingsOf, type SettingOf } from '#core/settings/settings';
import { parseAddressPolicy } from '#http/address/address-policy';
import { KNOWS_SYSTEM_AUTHORITIES, NO_SYSTEM_AUTHORITIES } from '#http/connection/system-authorities';
import type { ProxySettings } from '#http/connection/proxy';
import { withoutLogin } from '#core/text/url-login';
import type { TracingSettings } from '#tracing/open-tracing';
import { readSettings, unknownSettings, type Environment, type SettingValues } from '#os/settings';
import { mayBeToken } from './access/token-format.ts';
import type { SessionLimits } from './access/users/sessions.ts';

/** Settings of the API process. */
export interface ApiConfig {
  readonly bind: string;
  /** 0 takes a free port. */
  readonly port: number;
  readonly databaseUrl: string;
  /** A replica that lists are read from. */
  readonly databaseReadUrl: string | undefined;
  /** Most connections to Postgres at once. */
  readonly databasePool: number;
  readonly redisUrl: string;
  /** Without one, the first start makes an admin token and prints it once. */
  readonly adminToken: string | undefined;
  readonly redisPrefix: string;
  /** `required`: nothing is believed of hosts that are not enrolled. */
  readonly enrolment: 'optional' | 'required';
  /** Address of Redis that enrolled workers are told, without a login. */
  readonly workerRedisUrl: string;
  /** Requests of one token or user within a minute, at all API processes together. */
  readonly requestsPerMinute: number;
  readonly sessionLimits: SessionLimits;
  readonly tracing: TracingSettings;
  readonly queueBoard: 'read-only' | 'writable' | 'off';
  readonly docs: boolean;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent';
  /** The job of an open download is looked up in Redis after this long without an event; twice the lock of a job. */
  readonly silentAfterMs: number;
  readonly sweepEveryMs: number;
  /** How long single tries are kept. */
  readonly historyMs: number;
  /** How long the rows of the audit are kept. */
  readonly auditHistoryMs: number;
  /** How often the origin of each model is asked for a newer version; spread by a tenth. */
  readonly versionCheckMs: number;
  /** Private addresses that the endpoints of webhooks may have. */
  readonly allowAddresses: readonly string[];
  /** Ways to the endpoints of webhooks. */
  readonly proxy: ProxySettings;
  /** Trust the certificate authorities of the system for the endpoints of webhooks. */
  readonly useSystemCa: boolean;
  /** Sentences about settings that are accepted but look wrong. */
  readonly warnings: readonly string[];
  /** A host that nothing was heard of for this long is offline: three times the pause between its reports. */
  readonly hostOfflineAfterMs: number;
  /** Most hosts of a site that fetch lost files again at once. */
  readonly repairHosts: number;
}

/**
 * @param env the environment; each `NAME_FILE` gives `NAME` from a file
 * @param readFile reads a text file; throws when it cannot
 * @param unneeded required variables that may be missing in this mode of running
 * @throws Error that names every bad variable at once
 */
export function readApiConfig(
  env: Environment,
  readFile: (path: string) => string,
  unneeded: readonly 'REDIS_URL'[] = [],
): ApiConfig {
  const required = (['DATABASE_URL', 'REDIS_URL'] as const).filter((name) => !unneeded.some((other) => other === name));
  const { values, problems } = readSettings(SETTINGS, settingsOf('api'), env, { required, readFile });
  const all = [...problems, ...tokenProblems(values.HAULIER_ADMIN_TOKEN), ...webhookProblems(values)];
  if (all.length > 0) throw new Error(`bad configuration\n${all.map((line) => `  ${line}`).join('\n')}`);
  return Object.freeze(toConfig(values, unknownSettings(SETTINGS, env)));
}

/** A token of our own form whose checksum is wrong is refused at every request (token-format.ts). */
function tokenProblems(token: string | undefined): readonly string[] {
  if (token === undefined || mayBeToken(token)) return [];
  const why = 'it begins like a token that Haulier made, but its checksum is wrong';
  return [
    `HAULIER_ADMIN_TOKEN could never be accepted: ${why}; copy all of it, or choose one that does not begin with haulier_`,
  ];
}

type Values = SettingValues<typeof SETTINGS, SettingOf<'api'>>;

function webhookProblems(values: Partial<Values>): readonly string[] {
  const found: string[] = [];
  if (values.HAULIER_USE_SYSTEM_CA && !KNOWS_SYSTEM_AUTHORITIES)
    found.push(`HAULIER_USE_SYSTEM_CA: ${NO_SYSTEM_AUTHORITIES}`);
  try {
    parseAddressPolicy(values.HAULIER_ALLOW_ADDRESSES ?? []);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    found.push(`HAULIER_ALLOW_ADDRESSES: ${error.message}`);
  }
  return found;
}

const toConfig = (values: Values, warnings: readonly string[]): ApiConfig => ({
  bind: values.HAULIER_BIND,
  port: values.HAULIER_PORT,
  databaseUrl: values.DATABASE_URL ?? UNNEEDED,
  databaseReadUrl: values.DATABASE_READ_URL,
  databasePool: values.HAULIER_DATABASE_POOL,
  redisUrl: values.REDIS_URL ?? UNNEEDED,
  adminToken: values.HAULIER_ADMIN_TOKEN,
  redisPrefix: values.HAULIER_REDIS_PREFIX,
  enrolment: values.HAULIER_ENROLMENT,
  workerRedisUrl: withoutLogin(values.HAULIER_WORKER_REDIS_URL ?? values.REDIS_URL ?? UNNEEDED),
  requestsPerMinute: values.HAULIER_RATE_LIMIT,
  sessionLimits: {
    idleMs: values.HAULIER_SESSION_IDLE,
    lifeMs: values.HAULIER_SESSION_LIFE,
    withoutTls: values.HAULIER_SIGN_IN_WITHOUT_TLS,
  },
  tracing: {
    endpoint: values.OTEL_EXPORTER_OTLP_ENDPOINT,
    headers: Object.fromEntries(values.OTEL_EXPORTER_OTLP_HEADERS),
    share: values.OTEL_TRACES_SAMPLER_ARG,
  },
  queueBoard: values.HAULIER_QUEUE_BOARD,
  docs: values.HAULIER_DOCS,
  logLevel: values.HAULIER_LOG_LEVEL,
  silentAfterMs: values.HAULIER_SILENT_AFTER,
  sweepEveryMs: values.HAULIER_SWEEP_EVERY,
  historyMs: values.HAULIER_HISTORY,
  auditHistoryMs: values.HAULIER_AUDIT_HISTORY,
  versionCheckMs: values.HAULIER_VERSION_CHECK_INTERVAL,
  hostOfflineAfterMs: values.HAULIER_HOST_OFFLINE_AFTER,
  repairHosts: values.HAULIER_REPAIR_HOSTS,
  allowAddresses: values.HAULIER_ALLOW_ADDRESSES,
  proxy: { http: values.HTTP_PROXY, https: values.HTTPS_PROXY, noProxy: values.NO_PROXY },
  useSystemCa: values.HAULIER_USE_SYSTEM_CA,
  warnings,
});

/** The URL of a server that this mode does not use. */
const UNNEEDED = '';
