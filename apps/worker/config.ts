import { resolve } from 'node:path';
import { SETTINGS, settingsOf, type SettingOf } from '#core/settings/settings';
import { layerOfName, type Layer } from '#core/layer';
import { parseAddressPolicy } from '#http/address/address-policy';
import type { ProxySettings } from '#http/connection/proxy';
import { KNOWS_SYSTEM_AUTHORITIES, NO_SYSTEM_AUTHORITIES } from '#http/connection/system-authorities';
import { homeFolder } from '#os/home-folder';
import { readSettings, unknownSettings, type Environment, type SettingValues } from '#os/settings';
import type { GatewayData } from '#sources/gateway/gateways';
import { readGatewayData } from './gateway-data.ts';

export interface WorkerConfig {
  /** Folder of everything this worker keeps. */
  readonly home: string;
  readonly redis: { readonly url: string; readonly prefix: string };
  /** Takes the jobs of this host's own queue; undefined for a worker of the pool. */
  readonly host: string | undefined;
  /** What selectors of rollouts match, beside what is set through the API. */
  readonly labels: Readonly<Record<string, string>>;
  /** Takes the jobs that any worker may take; the default where no host is named. */
  readonly pool: boolean;
  /** Files at once. */
  readonly concurrency: number;
  readonly layers: readonly Layer[];
  readonly strategy: 'ordered' | 'parallel';
  readonly ipfsGateways: readonly string[];
  /** What the operator knows of gateways. */
  readonly gatewayData: GatewayData | undefined;
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
  readonly storeWarnBytes: number;
  readonly storeMaxBytes: number | undefined;
  readonly sweep: {
    readonly everyMs: number;
    readonly quarantineMs: number;
    readonly partialsMs: number;
    readonly versionsMs: number;
  };
  /** Most bytes per second that a check of the store reads. */
  readonly verifyBytesPerSecond: number;
  /** Proxies of sources. */
  readonly proxy: ProxySettings;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent';
  /** Sentences about settings that are accepted but look wrong. */
  readonly warnings: readonly string[];
}

type Values = SettingValues<typeof SETTINGS, SettingOf<'worker'>>;

/**
 * Reads the configuration of a worker; docs/guide/configuration.md lists the variables.
 *
 * @throws Error that names every bad variable, and what would be right
 */
export function readWorkerConfig(env: Environment): WorkerConfig {
  const { values, problems } = readSettings(SETTINGS, settingsOf('worker'), env, { required: ['REDIS_URL'] });
  const all = [...problems];
  const reading = <Value>(prefix: string, read: () => Value): Value | undefined => {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      all.push(`${prefix}${error.message}`);
      return undefined;
    }
  };
  const pool = values.HAULIER_POOL ?? values.HAULIER_HOST === undefined;
  if (values.HAULIER_HOST === undefined && !pool)
    all.push('HAULIER_POOL: a worker without HAULIER_HOST serves the pool: name the host, or leave HAULIER_POOL out');
  const home = reading('', () => homeFolder(values.HAULIER_HOME));
  const { HAULIER_GATEWAY_DATA: dataPath } = values;
  const gatewayData = reading('HAULIER_GATEWAY_DATA: ', () => (dataPath ? readGatewayData(dataPath) : undefined));
  if (values.HAULIER_USE_SYSTEM_CA && !KNOWS_SYSTEM_AUTHORITIES)
    all.push(`HAULIER_USE_SYSTEM_CA: ${NO_SYSTEM_AUTHORITIES}`);
  reading('HAULIER_ALLOW_ADDRESSES: ', () => parseAddressPolicy(values.HAULIER_ALLOW_ADDRESSES));
  if (all.length > 0 || home === undefined)
    throw new Error(`bad configuration of the worker:\n${all.map((line) => `  ${line}`).join('\n')}`);
  const warnings = unknownSettings(SETTINGS, env);
  return Object.freeze({ ...toConfig(values), home, pool, gatewayData, warnings });
}

const toConfig = (values: Values): Omit<WorkerConfig, 'home' | 'pool' | 'gatewayData' | 'warnings'> => ({
  redis: { url: values.REDIS_URL ?? '', prefix: values.HAULIER_REDIS_PREFIX },
  host: values.HAULIER_HOST,
  labels: Object.fromEntries(values.HAULIER_LABELS),
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
  storeWarnBytes: values.HAULIER_STORE_WARN_BYTES,
  storeMaxBytes: values.HAULIER_STORE_MAX_BYTES,
  sweep: {
    everyMs: values.HAULIER_STORE_SWEEP_EVERY,
    quarantineMs: values.HAULIER_STORE_KEEP_QUARANTINE,
    partialsMs: values.HAULIER_STORE_KEEP_PARTIALS,
    versionsMs: values.HAULIER_STORE_KEEP_VERSIONS,
  },
  verifyBytesPerSecond: values.HAULIER_VERIFY_RATE,
  proxy: { http: values.HTTP_PROXY, https: values.HTTPS_PROXY, noProxy: values.NO_PROXY },
  logLevel: values.HAULIER_LOG_LEVEL,
});
