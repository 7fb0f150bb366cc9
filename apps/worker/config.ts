import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { HostName } from '#contracts/download-job';
import { DurationMs, parsedBy } from '#contracts/parsed-by';
import { DEFAULT_REDIS_PREFIX } from '#contracts/redis-prefix';
import { LAYERS, type Layer } from '#core/layer';
import { DAY_MS, HOUR_MS, MIB, parseBytes } from '#core/units';
import { badTokenReason } from '#core/hub-name';
import { settingsOf, type Environment } from '#os/settings';
import type { GatewayData } from '#sources/gateways';
import { readGatewayData } from './gateway-data.ts';

const DEFAULT_LAYERS: Layer[] = ['cache', 'ipfs', 'huggingface', 'bundled', 'peer'];

/** @throws RangeError that shows the accepted form */
function parseSourceLimit(text: string): [host: string, bytesPerSecond: number] {
  const [, host, rate] = /^([a-z0-9.-]+(?::\d+)?)=(.+)$/i.exec(text) ?? [];
  const bytesPerSecond = rate === undefined ? 0 : parseBytes(rate);
  if (host === undefined || bytesPerSecond < 1)
    throw new RangeError(`"${text}" is no limit of a source: write for example gateway.example=20M`);
  return [host.toLowerCase(), bytesPerSecond];
}

const bytes = parsedBy(z.string(), parseBytes);
const flag = z.enum(['0', '1', 'false', 'true'], 'write 1 or 0').transform((text) => text === '1' || text === 'true');
const list = z.string().transform((text) =>
  text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== ''),
);
const httpUrl = z.url({ protocol: /^https?$/, error: 'write an http:// or https:// URL' });

const Env = z.object({
  HAULIER_HOME: z.string().min(1).default(join(homedir(), '.haulier')),
  REDIS_URL: z.url({ protocol: /^rediss?$/, error: 'write a URL such as redis://127.0.0.1:6379' }),
  HAULIER_REDIS_PREFIX: z.string().min(1).max(60).default(DEFAULT_REDIS_PREFIX),
  HAULIER_HOST: HostName.optional(),
  HAULIER_POOL: flag.optional(),
  HAULIER_CONCURRENCY: z.coerce
    .number('write a whole number')
    .int()
    .min(1, 'at least 1')
    .max(64, 'at most 64')
    .default(3),
  HAULIER_LAYERS: list.pipe(z.array(z.enum(LAYERS)).min(1)).default(DEFAULT_LAYERS),
  HAULIER_STRATEGY: z.enum(['ordered', 'parallel']).default('ordered'),
  IPFS_GATEWAYS: list.pipe(z.array(httpUrl)).default([]),
  HAULIER_GATEWAY_DATA: parsedBy(z.string(), readGatewayData).optional(),
  HF_ENDPOINT: httpUrl.default('https://huggingface.co'),
  HF_TOKEN: z
    .string()
    .superRefine((token, context) => {
      const message = badTokenReason(token);
      if (message !== undefined) context.addIssue({ code: 'custom', message });
    })
    .optional(),
  HAULIER_ALLOW_ADDRESSES: list.default([]),
  HAULIER_BUNDLES: list.default([]),
  HAULIER_LIMIT_RATE: bytes.optional(),
  HAULIER_SOURCE_LIMITS: list.pipe(z.array(parsedBy(z.string(), parseSourceLimit))).default([]),
  HAULIER_STALL_TIMEOUT: DurationMs.default(30_000),
  HAULIER_STORE_WARN_BYTES: bytes.default(2e9),
  HAULIER_STORE_MAX_BYTES: bytes.optional(),
  HAULIER_STORE_SWEEP_EVERY: DurationMs.default(HOUR_MS),
  HAULIER_STORE_KEEP_QUARANTINE: DurationMs.default(7 * DAY_MS),
  HAULIER_STORE_KEEP_PARTIALS: DurationMs.default(HOUR_MS),
  HAULIER_STORE_KEEP_VERSIONS: DurationMs.default(90 * DAY_MS),
  HAULIER_VERIFY_RATE: bytes.default(100 * MIB),
  HAULIER_LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
});

export interface WorkerConfig {
  /** Folder of everything this worker keeps. */
  readonly home: string;
  readonly redis: { readonly url: string; readonly prefix: string };
  /** Takes the jobs of this host's own queue; undefined for a worker of the pool. */
  readonly host: string | undefined;
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
  /** Disk reads of a check that somebody asked for. */
  readonly verifyBytesPerSecond: number;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent';
}

/**
 * Reads the configuration of a worker; docs/configuration.md lists the variables.
 *
 * @throws Error that names every bad variable, and what would be right
 */
export function readConfig(env: Environment): WorkerConfig {
  const { given, problems } = settingsOf(env, Object.keys(Env.shape));
  const parsed = Env.safeParse(given);
  for (const issue of parsed.error?.issues ?? [])
    problems.push(`${issue.path.map(String).join('.')}: ${issue.message}`);
  const host = parsed.data?.HAULIER_HOST;
  const pool = parsed.data?.HAULIER_POOL ?? host === undefined;
  if (parsed.success && host === undefined && !pool)
    problems.push(
      'HAULIER_POOL: a worker without HAULIER_HOST serves the pool: name the host, or leave HAULIER_POOL out',
    );
  if (!parsed.success || problems.length > 0)
    throw new Error(`bad configuration of the worker:\n${problems.map((line) => `  ${line}`).join('\n')}`);
  return Object.freeze(toConfig(parsed.data, pool));
}

function toConfig(e: z.infer<typeof Env>, pool: boolean): WorkerConfig {
  return {
    home: resolve(e.HAULIER_HOME),
    redis: { url: e.REDIS_URL, prefix: e.HAULIER_REDIS_PREFIX },
    host: e.HAULIER_HOST,
    pool,
    concurrency: e.HAULIER_CONCURRENCY,
    layers: e.HAULIER_LAYERS,
    strategy: e.HAULIER_STRATEGY,
    ipfsGateways: e.IPFS_GATEWAYS,
    gatewayData: e.HAULIER_GATEWAY_DATA,
    huggingFace: { endpoint: e.HF_ENDPOINT, token: e.HF_TOKEN },
    allowAddresses: e.HAULIER_ALLOW_ADDRESSES,
    bundles: e.HAULIER_BUNDLES.map((text) => (/^https?:\/\//i.test(text) ? text : resolve(text))),
    limitBytesPerSecond: e.HAULIER_LIMIT_RATE,
    sourceLimits: new Map(e.HAULIER_SOURCE_LIMITS),
    stallTimeoutMs: e.HAULIER_STALL_TIMEOUT,
    storeWarnBytes: e.HAULIER_STORE_WARN_BYTES,
    storeMaxBytes: e.HAULIER_STORE_MAX_BYTES,
    sweep: {
      everyMs: e.HAULIER_STORE_SWEEP_EVERY,
      quarantineMs: e.HAULIER_STORE_KEEP_QUARANTINE,
      partialsMs: e.HAULIER_STORE_KEEP_PARTIALS,
      versionsMs: e.HAULIER_STORE_KEEP_VERSIONS,
    },
    verifyBytesPerSecond: e.HAULIER_VERIFY_RATE,
    logLevel: e.HAULIER_LOG_LEVEL,
  };
}
