import type { SourceSecrets } from '#core/settings/source-secrets';
import { resolve } from 'node:path';
import { SETTINGS, settingsOf, type SettingOf } from '#core/settings/settings';
import { layerOfName, type Layer } from '#core/layer';
import { hostKey } from '#core/text/host-name';
import { parseAddressPolicy } from '#http/address/address-policy';
import type { ProxySettings } from '#http/connection/proxy';
import { KNOWS_SYSTEM_AUTHORITIES, NO_SYSTEM_AUTHORITIES } from '#http/connection/system-authorities';
import { homeFolder } from '#os/home-folder';
import { readSettings, unknownSettings, type Environment, type SettingValues } from '#os/settings';
import type { TracingSettings } from '#tracing/open-tracing';
import { serveSettings, type ServeSettings } from '#serve/serve-settings';
import type { SweepLimits } from '#store/upkeep/sweep-plan';
import { sweepLimits } from '#store/upkeep/sweep-settings';
import type { GatewayData } from '#sources/gateway/gateways';
import { readCommands } from './commands-data.ts';
import { readEnrolment, redisUrlOf, type Enrolment } from './enrolment/enrolment-file.ts';
import { readGatewayData } from './gateway-data.ts';
import type { HostCommand } from './host/run-command.ts';
import { swarmConfig, type SwarmConfig } from './swarm/swarm-config.ts';
import { readNamedSecrets, repeatedSecrets } from './named-secrets.ts';

export interface WorkerConfig {
  /** Folder of everything this worker keeps. */
  readonly home: string;
  readonly redis: { readonly url: string; readonly prefix: string };
  /** Takes the jobs of this host's own queue; undefined for a worker of the pool. */
  readonly host: string | undefined;
  /** What selectors of rollouts match, beside what is set through the API. */
  readonly labels: Readonly<Record<string, string>>;
  /** Between two reports of the host without a change; milliseconds. */
  readonly reportEveryMs: number;
  /** Where `/metrics` is served; undefined: nowhere. */
  readonly metricsPort: number | undefined;
  readonly metricsBind: string;
  /** Takes the jobs that any worker may take; the default where no host is named. */
  readonly pool: boolean;
  /** Checks models for newer versions; not on an enrolled host that may not serve the pool. */
  readonly checksVersions: boolean;
  /** Of an enrolled host: signs its events. Ed25519, PKCS #8 in PEM. */
  readonly privateKey: string | undefined;
  /** Files at once. */
  readonly concurrency: number;
  readonly layers: readonly Layer[];
  readonly strategy: 'ordered' | 'parallel';
  readonly ipfsGateways: readonly string[];
  /** What the operator knows of gateways. */
  readonly gatewayData: GatewayData | undefined;
  /** Programs that rollouts may run on this host, by name. */
  readonly commands: ReadonlyMap<string, HostCommand>;
  /** PATH of those programs. */
  readonly commandPath: string;
  /** What is sent to origins for sources that name it. */
  readonly secrets: SourceSecrets;
  readonly huggingFace: { readonly endpoint: string; readonly token: string | undefined };
  /** Addresses beyond the public ones that sources may have: CIDRs or host names. */
  readonly allowAddresses: readonly string[];
  /** Redirects from https to http are followed where a digest or a CID decides. */
  readonly allowDowngrade: boolean;
  /** The certificate authorities of the system are trusted beside those of Node. */
  readonly useSystemCa: boolean;
  /** Tarballs of models: absolute paths, or URLs. */
  readonly bundles: readonly string[];
  /** Bytes per second over all downloads of this worker. */
  readonly limitBytesPerSecond: number | undefined;
  /** Bytes per second by host (`gateway.example`, `gateway.example:8080`), over all downloads of this worker. */
  readonly sourceLimits: ReadonlyMap<string, number>;
  /** No byte for this long is a timeout; milliseconds. */
  readonly stallTimeoutMs: number;
  /** When the store is cleaned, and what may be deleted. */
  readonly sweep: Partial<SweepLimits> & { readonly everyMs: number };
  /** Most bytes per second that a check of the store reads. */
  readonly verifyBytesPerSecond: number;
  /** Where and to whom the store is served; undefined: not at all. */
  readonly serve: ServeSettings | undefined;
  /** With whom files are shared while they are fetched. */
  readonly swarm: SwarmConfig;
  /** Proxies of sources. */
  readonly proxy: ProxySettings;
  readonly tracing: TracingSettings;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent';
  /** Sentences about settings that are accepted but look wrong. */
  readonly warnings: readonly string[];
}

const USUAL_PATH = '/usr/local/bin:/usr/bin:/bin';

type Values = SettingValues<typeof SETTINGS, SettingOf<'worker'>>;

/**
 * Reads the configuration of a worker; docs/guide/configuration.md lists the variables.
 *
 * @throws Error that names every bad variable, and what would be right
 */
export function readWorkerConfig(env: Environment): WorkerConfig {
  const { values, problems } = readSettings(SETTINGS, settingsOf('worker'), env);
  const named = readNamedSecrets(env);
  const all = [...problems, ...named.problems, ...repeatedSecrets(values.HAULIER_SECRETS, named.secrets)];
  const reading = <Value>(prefix: string, read: () => Value): Value | undefined => {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      all.push(`${prefix}${error.message}`);
      return undefined;
    }
  };
  const home = reading('', () => homeFolder(values.HAULIER_HOME));
  const enrolment = reading('', () => (home === undefined ? undefined : readEnrolment(home)));
  const place = placeOf(values, enrolment);
  all.push(...place.problems);
  const { HAULIER_GATEWAY_DATA: dataPath } = values;
  const gatewayData = reading('HAULIER_GATEWAY_DATA: ', () => (dataPath ? readGatewayData(dataPath) : undefined));
  const { HAULIER_COMMANDS: commandsPath } = values;
  const commands =
    reading('HAULIER_COMMANDS: ', () => (commandsPath ? readCommands(commandsPath) : undefined)) ?? new Map();
  const serve = reading('', () => (values.HAULIER_SERVE ? serveSettings(values, enrolment !== undefined) : undefined));
  const swarm = reading('', () => swarmConfig(values, serve, enrolment));
  if (values.HAULIER_USE_SYSTEM_CA && !KNOWS_SYSTEM_AUTHORITIES)
    all.push(`HAULIER_USE_SYSTEM_CA: ${NO_SYSTEM_AUTHORITIES}`);
  reading('HAULIER_ALLOW_ADDRESSES: ', () => parseAddressPolicy(values.HAULIER_ALLOW_ADDRESSES));
  if (all.length > 0 || home === undefined || swarm === undefined)
    throw new Error(`bad configuration of the worker:\n${all.map((line) => `  ${line}`).join('\n')}`);
  const warnings = unknownSettings(SETTINGS, env);
  const { redis, host, pool, checksVersions, privateKey } = place;
  const commandPath = env['PATH'] || USUAL_PATH;
  return Object.freeze({
    ...toConfig(values),
    ...{ home, redis, host, pool, checksVersions, privateKey },
    ...{ gatewayData, commands, commandPath, serve, swarm, warnings },
    secrets: { ...values.HAULIER_SECRETS, ...named.secrets },
  });
}

type Place = Pick<WorkerConfig, 'redis' | 'host' | 'pool' | 'checksVersions' | 'privateKey'>;

/** Where the jobs come from: what the settings say, or what the host enrolled as. */
function placeOf(values: Values, enrolment: Enrolment | undefined): Place & { readonly problems: readonly string[] } {
  const { REDIS_URL: url, HAULIER_REDIS_PREFIX: prefix, HAULIER_HOST: host, HAULIER_POOL: pool } = values;
  if (enrolment !== undefined) return enrolledPlace(values, enrolment);
  const problems: string[] = [];
  if (url === undefined) problems.push('REDIS_URL is missing: set it, or REDIS_URL_FILE, or enrol this host');
  if (host === undefined && pool === false)
    problems.push(
      'HAULIER_POOL: a worker without HAULIER_HOST serves the pool: name the host, or leave HAULIER_POOL out',
    );
  const redis = { url: url ?? '', prefix };
  return { redis, host, pool: pool ?? host === undefined, checksVersions: true, privateKey: undefined, problems };
}

function enrolledPlace(
  { REDIS_URL: url, HAULIER_HOST: host, HAULIER_POOL: pool }: Values,
  enrolment: Enrolment,
): Place & { readonly problems: readonly string[] } {
  const problems: string[] = [];
  if (host !== undefined && hostKey(host) !== hostKey(enrolment.host))
    problems.push(
      `HAULIER_HOST is "${host}", and this host enrolled as "${enrolment.host}": leave it out, or enrol under that name`,
    );
  if (pool === true && !enrolment.pool)
    problems.push(
      'HAULIER_POOL: this host enrolled for its own jobs alone: leave it out, or enrol with a token for the pool',
    );
  return {
    redis: { url: redisUrlOf(enrolment, url), prefix: enrolment.redis.prefix },
    host: host ?? enrolment.host,
    pool: pool ?? enrolment.pool,
    checksVersions: enrolment.pool,
    privateKey: enrolment.privateKey,
    problems,
  };
}

type OfFiles = 'home' | 'gatewayData' | 'commands' | 'commandPath' | 'serve' | 'swarm' | 'warnings' | 'secrets';

const toConfig = (values: Values): Omit<WorkerConfig, keyof Place | OfFiles> => ({
  labels: Object.fromEntries(values.HAULIER_LABELS),
  tracing: {
    endpoint: values.OTEL_EXPORTER_OTLP_ENDPOINT,
    headers: Object.fromEntries(values.OTEL_EXPORTER_OTLP_HEADERS),
    share: values.OTEL_TRACES_SAMPLER_ARG,
  },
  reportEveryMs: values.HAULIER_REPORT_EVERY,
  metricsPort: values.HAULIER_METRICS_PORT,
  metricsBind: values.HAULIER_METRICS_BIND,
  concurrency: values.HAULIER_CONCURRENCY,
  layers: values.HAULIER_LAYERS.map(layerOfName),
  strategy: values.HAULIER_STRATEGY,
  ipfsGateways: values.IPFS_GATEWAYS,
  huggingFace: { endpoint: values.HF_ENDPOINT, token: values.HF_TOKEN },
  allowAddresses: values.HAULIER_ALLOW_ADDRESSES,
  allowDowngrade: values.HAULIER_ALLOW_DOWNGRADE,
  useSystemCa: values.HAULIER_USE_SYSTEM_CA,
  bundles: values.HAULIER_BUNDLES.map((text) => (/^https?:\/\//i.test(text) ? text : resolve(text))),
  limitBytesPerSecond: values.HAULIER_LIMIT_RATE,
  sourceLimits: new Map(values.HAULIER_SOURCE_LIMITS),
  stallTimeoutMs: values.HAULIER_STALL_TIMEOUT,
  sweep: { everyMs: values.HAULIER_STORE_SWEEP_EVERY, ...sweepLimits(values) },
  verifyBytesPerSecond: values.HAULIER_VERIFY_RATE,
  proxy: { http: values.HTTP_PROXY, https: values.HTTPS_PROXY, noProxy: values.NO_PROXY },
  logLevel: values.HAULIER_LOG_LEVEL,
});

/** What a worker enrols with. */
export interface EnrolSettings {
  readonly home: string;
  readonly apiUrl: string;
  readonly token: string;
  readonly host: string;
}

/**
 * Reads what a worker needs to enrol.
 *
 * @returns undefined where no enrolment token is given
 * @throws Error that names every bad or missing variable
 */
export function readEnrolSettings(env: Environment): EnrolSettings | undefined {
  const names = ['HAULIER_ENROLMENT_TOKEN', 'HAULIER_URL', 'HAULIER_HOST', 'HAULIER_HOME'] as const;
  const { values, problems } = readSettings(SETTINGS, names, env);
  const { HAULIER_ENROLMENT_TOKEN: token, HAULIER_URL: url, HAULIER_HOST: host } = values;
  const all = [...problems];
  if (token === undefined && all.length === 0) return undefined;
  if (host === undefined) all.push('HAULIER_HOST is missing: the host enrols under this name');
  if (token === undefined || host === undefined || all.length > 0)
    throw new Error(`this worker cannot enrol:\n${all.map((line) => `  ${line}`).join('\n')}`);
  return { home: homeFolder(values.HAULIER_HOME), apiUrl: url.replace(/\/+$/, ''), token, host };
}
