/* eslint-disable max-lines -- one table of all settings, in one place */
import { HOST_NAME, HOST_NAME_RULE } from '../text/host-name.ts';
import { LAYER_NAMES } from '../layer.ts';
import { parseSourceSecrets } from './source-secrets.ts';
import {
  anyText,
  apiUrl,
  bindAddress,
  duration,
  flag,
  headerPair,
  httpUrl,
  label,
  listOf,
  mdns,
  oneOf,
  pageOrigin,
  proxyUrl,
  rate,
  redisUrl,
  share,
  servedRepo,
  size,
  someOf,
  sourceLimit,
  textLike,
  timerDuration,
  token,
  urlOf,
  wholeNumber,
  type SettingKind,
} from './setting-kinds.ts';

export type SettingReader = 'api' | 'worker' | 'cli';

export interface Setting<Value = unknown> {
  readonly kind: SettingKind<Value>;
  readonly readBy: readonly SettingReader[];
  /** The text that counts where none is given; left out: there is no value then. */
  readonly default?: string;
  /** What docs/guide/configuration.md shows instead of `default`, in Markdown. */
  readonly shownDefault?: string;
  /** In Markdown. */
  readonly meaning: string;
  /** Its value is never shown. */
  readonly isSecret?: true;
  /** Another name of the same variable, which counts after this one. */
  readonly alias?: string;
}

const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;

const POSTGRES_URL =
  'write postgresql://user:password@host:5432/database, with special characters of the password percent-encoded (@ is %40)';

/** Every variable of the environment that Haulier reads. docs/guide/configuration.md shows it, and a test holds both together. */
export const SETTINGS = {
  DATABASE_URL: {
    kind: urlOf(['postgres:', 'postgresql:'], POSTGRES_URL, { needsHost: false }),
    readBy: ['api', 'cli'],
    shownDefault: 'cli: starts PostgreSQL',
    meaning: '`postgresql://user:password@host:5432/database`',
    isSecret: true,
  },
  DATABASE_READ_URL: {
    kind: urlOf(['postgres:', 'postgresql:'], POSTGRES_URL, { needsHost: false }),
    readBy: ['api'],
    shownDefault: 'none',
    meaning: 'a replica of the database, from which lists and metrics are read',
    isSecret: true,
  },
  REDIS_URL: {
    kind: redisUrl,
    readBy: ['api', 'worker', 'cli'],
    shownDefault: 'cli: starts Redis',
    meaning:
      '`redis://`, `rediss://`, or the form of Sentinels or of a cluster, see below; with AOF and `noeviction` in production',
    isSecret: true,
  },
  HAULIER_REDIS_PREFIX: {
    kind: textLike(/^\S{1,60}$/, 'write 1 to 60 characters without spaces, such as {haulier}'),
    readBy: ['api', 'worker'],
    default: '{haulier}',
    meaning: 'begins every key; what is in braces is completed to the tag of a shard: `{haulier-7}`',
  },
  HAULIER_WORKER_REDIS_URL: {
    kind: redisUrl,
    readBy: ['api'],
    shownDefault: '`REDIS_URL` without its login',
    meaning: 'address of Redis that enrolled workers are told, where they reach it by another one',
  },
  HAULIER_ENROLMENT: {
    kind: oneOf(['optional', 'required']),
    readBy: ['api'],
    default: 'optional',
    meaning: '`required`: nothing is believed of workers that are not [enrolled](enrolment.md)',
  },
  HAULIER_ENROLMENT_TOKEN: {
    kind: token,
    readBy: ['worker'],
    shownDefault: 'none',
    meaning: 'the worker enrols with it at its start, unless it is enrolled; needs `HAULIER_URL`',
    isSecret: true,
  },
  HAULIER_BIND: {
    kind: bindAddress,
    readBy: ['api', 'cli'],
    default: '127.0.0.1',
    meaning: 'address the API listens on',
  },
  HAULIER_PORT: {
    kind: wholeNumber(0, 65_535, 'write a port from 0 (any free one) to 65535'),
    readBy: ['api', 'cli'],
    default: '7420',
    meaning: 'port the API listens on; 0 takes a free one',
  },
  HAULIER_ADMIN_TOKEN: {
    kind: textLike(/^[\x21-\x7e]{20,200}$/, 'write 20 to 200 ASCII characters without spaces'),
    readBy: ['api'],
    shownDefault: 'made at the first start',
    meaning: 'an admin token of 20 to 200 characters; without it one is printed once',
    isSecret: true,
  },
  HAULIER_RATE_LIMIT: {
    kind: wholeNumber(10, 1_000_000),
    readBy: ['api'],
    default: '6000',
    meaning:
      'most requests of one token or user within a minute, at all API processes together (at each while Redis is away); beyond, they are answered with 429',
  },
  HAULIER_SESSION_IDLE: {
    kind: duration,
    readBy: ['api'],
    default: '12h',
    meaning: 'a [session](access.md#users-and-sessions) that is not used for this long is over',
  },
  HAULIER_SESSION_LIFE: {
    kind: duration,
    readBy: ['api'],
    default: '7d',
    meaning: 'a session is over after this long, however much it is used',
  },
  HAULIER_SIGN_IN_WITHOUT_TLS: {
    kind: flag,
    readBy: ['api'],
    default: '0',
    meaning:
      '`1`: users may also sign in from other machines without TLS; password and session cross the network in the open',
  },
  HAULIER_QUEUE_BOARD: {
    kind: oneOf(['read-only', 'writable', 'off']),
    readBy: ['api'],
    default: 'writable',
    meaning:
      'the board of queues at `/admin/queues`. `writable`: users who may read see it, admins also act; `read-only`: nothing can be changed there; `off`',
  },
  HAULIER_DOCS: {
    kind: flag,
    readBy: ['api'],
    default: 'on',
    meaning: 'pages that show the API at `/docs`: `on` or `off`',
  },
  HAULIER_DATABASE_POOL: {
    kind: wholeNumber(2, 200),
    readBy: ['api'],
    default: '10',
    meaning: 'most connections to Postgres, 2 to 200',
  },
  HAULIER_SILENT_AFTER: {
    kind: duration,
    readBy: ['api'],
    default: '4m',
    meaning: 'an open download without any news for this long is looked up in Redis',
  },
  HAULIER_SWEEP_EVERY: {
    kind: timerDuration,
    readBy: ['api'],
    default: '30s',
    meaning: 'how often Postgres and Redis are compared',
  },
  HAULIER_HISTORY: {
    kind: duration,
    readBy: ['api'],
    default: '30d',
    meaning: 'how long single tries are remembered',
  },
  HAULIER_AUDIT_HISTORY: {
    kind: duration,
    readBy: ['api'],
    default: '400d',
    meaning: 'how long the rows of the audit are kept; at least 1d; whole days are dropped',
  },
  HAULIER_VERSION_CHECK_INTERVAL: {
    kind: duration,
    readBy: ['api'],
    default: '1d',
    meaning: 'how often the origin of a model is asked for a newer version',
  },
  HAULIER_HOST_OFFLINE_AFTER: {
    kind: duration,
    readBy: ['api'],
    default: '3m',
    meaning: 'a host that nothing was heard of for this long is offline; see `HAULIER_REPORT_EVERY`',
  },
  HAULIER_REPAIR_HOSTS: {
    kind: wholeNumber(1, 10_000),
    readBy: ['api'],
    default: '2',
    meaning:
      'hosts of a site that fetch lost files again at once; never more than a twentieth of the site, but one always',
  },
  HAULIER_LOG_LEVEL: {
    kind: oneOf(LOG_LEVELS),
    readBy: ['api', 'worker'],
    default: 'info',
    meaning: '`debug`, `info`, `warn`, `error` or `silent`',
  },
  HAULIER_HOME: {
    kind: anyText,
    readBy: ['worker', 'cli'],
    shownDefault: '`~/.haulier`',
    meaning: 'folder of everything that is kept: store, logs, the servers of `haulier up`',
  },
  HAULIER_HOST: {
    kind: textLike(HOST_NAME, HOST_NAME_RULE),
    readBy: ['worker', 'cli'],
    shownDefault: 'cli: name of the machine',
    meaning: 'the worker takes the jobs of this host; without it those of the pool',
  },
  HAULIER_LABELS: {
    kind: listOf(label),
    readBy: ['worker'],
    default: '',
    shownDefault: 'none',
    meaning: 'labels of this host that selectors match: `gpu=true,site=eu-1`; what is set through the API wins',
  },
  HAULIER_REPORT_EVERY: {
    kind: timerDuration,
    readBy: ['worker'],
    default: '1m',
    meaning:
      'how often the worker reports its host, beside after each change; less than a third of `HAULIER_HOST_OFFLINE_AFTER`',
  },
  HAULIER_METRICS_PORT: {
    kind: wholeNumber(0, 65_535, 'write a port from 0 (any free one) to 65535'),
    readBy: ['worker'],
    shownDefault: 'none',
    meaning: 'the worker serves `/metrics` for Prometheus at this port, without a token; 0 takes a free one',
  },
  HAULIER_METRICS_BIND: {
    kind: bindAddress,
    readBy: ['worker'],
    default: '127.0.0.1',
    meaning: 'address of that port',
  },
  HAULIER_COMMANDS: {
    kind: anyText,
    readBy: ['worker'],
    shownDefault: 'none',
    meaning: 'path of a JSON file with the programs that rollouts may run on this host, see below',
  },
  HAULIER_POOL: {
    kind: flag,
    readBy: ['worker'],
    shownDefault: '`1` without a host',
    meaning: '`1`: takes jobs of the pool too',
  },
  HAULIER_CONCURRENCY: {
    kind: wholeNumber(1, 64),
    readBy: ['worker'],
    default: '3',
    meaning: 'files at once, 1 to 64',
  },
  HAULIER_LAYERS: {
    kind: someOf(oneOf(LAYER_NAMES), 'name at least one layer'),
    readBy: ['worker'],
    default: 'cache,ipfs,huggingface,bundled,peer',
    meaning: 'layers in use, in order',
  },
  HAULIER_STRATEGY: {
    kind: oneOf(['ordered', 'parallel']),
    readBy: ['worker'],
    default: 'ordered',
    meaning: '`ordered`: the next layer joins when the one before is exhausted; `parallel`: all at once',
  },
  IPFS_GATEWAYS: {
    kind: listOf(httpUrl),
    readBy: ['worker', 'cli'],
    default: '',
    shownDefault: 'none',
    meaning: 'IPFS gateways, best first; one of your own is best',
  },
  HAULIER_GATEWAY_DATA: {
    kind: anyText,
    readBy: ['worker'],
    shownDefault: 'none',
    meaning: 'path of a JSON file with what you know of gateways, see below',
  },
  HF_ENDPOINT: {
    kind: httpUrl,
    readBy: ['worker', 'cli'],
    default: 'https://huggingface.co',
    meaning: 'the hub, or a mirror of it',
  },
  HF_TOKEN: {
    kind: token,
    readBy: ['worker', 'cli'],
    shownDefault: 'none',
    meaning: "sent to the hub's own origin and nowhere else",
    isSecret: true,
  },
  HAULIER_SECRETS: {
    kind: parseSourceSecrets,
    readBy: ['worker'],
    default: '{}',
    shownDefault: 'none',
    meaning: 'secrets for mirrors, by the name that `secretRef` of a source gives; JSON, see below',
    isSecret: true,
  },
  HAULIER_ALLOW_ADDRESSES: {
    kind: listOf(anyText),
    readBy: ['api', 'worker', 'cli'],
    default: '',
    shownDefault: 'none',
    meaning:
      'private addresses that sources, and the endpoints of webhooks, may have: `10.0.0.0/8`, `gateway.lan`, `gateway.lan:8080`',
  },
  HAULIER_ALLOW_DOWNGRADE: {
    kind: flag,
    readBy: ['worker'],
    default: '0',
    meaning: '`1`: a redirect from https to http is followed where a digest or a CID proves the file',
  },
  HAULIER_USE_SYSTEM_CA: {
    kind: flag,
    readBy: ['api', 'worker', 'cli'],
    default: '0',
    meaning:
      '`1`: the certificate authorities of the system are trusted beside those of Node; needs Node 22.15 or later',
  },
  HAULIER_BUNDLES: {
    kind: listOf(anyText),
    readBy: ['worker'],
    default: '',
    shownDefault: 'none',
    meaning: 'bundles of models: paths or http(s) URLs',
  },
  HAULIER_LIMIT_RATE: {
    kind: rate,
    readBy: ['worker'],
    shownDefault: 'none',
    meaning: 'most bytes per second, over all downloads of the worker',
  },
  HAULIER_SOURCE_LIMITS: {
    kind: listOf(sourceLimit),
    readBy: ['worker'],
    default: '',
    shownDefault: 'none',
    meaning:
      'most bytes per second by host, over all downloads of the worker: `gateway.example=20M,huggingface.co=50M`',
  },
  HAULIER_STALL_TIMEOUT: {
    kind: timerDuration,
    readBy: ['worker'],
    default: '30s',
    meaning: 'no byte for this long is a failure of the source',
  },
  HAULIER_STORE_WARN_BYTES: {
    kind: size,
    readBy: ['worker', 'cli'],
    default: '2GB',
    meaning: 'a warning above it',
  },
  HAULIER_STORE_MAX_BYTES: {
    kind: size,
    readBy: ['worker', 'cli'],
    shownDefault: 'none',
    meaning: 'above it, content that nothing names is evicted, least recently used first',
  },
  HAULIER_STORE_SWEEP_EVERY: {
    kind: timerDuration,
    readBy: ['worker', 'cli'],
    default: '1h',
    meaning: 'how often the store is cleaned',
  },
  HAULIER_STORE_KEEP_QUARANTINE: {
    kind: duration,
    readBy: ['worker', 'cli'],
    default: '7d',
    meaning: 'how long corrupt files are kept aside',
  },
  HAULIER_STORE_KEEP_PARTIALS: {
    kind: duration,
    readBy: ['worker', 'cli'],
    default: '1h',
    meaning: 'how long a partial without a running download is kept',
  },
  HAULIER_STORE_KEEP_VERSIONS: {
    kind: duration,
    readBy: ['worker', 'cli'],
    default: '90d',
    meaning: 'how long a replaced version is kept; pinned, current and previous ones always',
  },
  HAULIER_SERVE: {
    kind: flag,
    readBy: ['worker'],
    default: 'on',
    meaning: 'the worker [serves its store](serve.md) to standard clients: `on` or `off`',
  },
  HAULIER_SERVE_BIND: {
    kind: bindAddress,
    readBy: ['worker', 'cli'],
    default: '127.0.0.1',
    meaning:
      'address the store is served on; beyond this machine it needs `HAULIER_SERVE_NETWORKS`, `HAULIER_SERVE_TOKENS` or `HAULIER_SITE_KEY`',
  },
  HAULIER_SERVE_PORT: {
    kind: wholeNumber(0, 65_535, 'write a port from 0 (any free one) to 65535'),
    readBy: ['worker', 'cli'],
    shownDefault: '`7430`, and a free one where that is taken',
    meaning: 'port the store is served on; 0 takes a free one',
  },
  HAULIER_SERVE_NETWORKS: {
    kind: listOf(anyText),
    readBy: ['worker', 'cli'],
    default: '',
    shownDefault: 'none',
    meaning: 'networks whose hosts may read without a token: `10.0.0.0/8,192.168.1.7`',
  },
  HAULIER_SERVE_TOKENS: {
    kind: listOf(token),
    readBy: ['worker', 'cli'],
    default: '',
    shownDefault: 'none',
    meaning: 'tokens that may read, private models too; clients of hubs send `HF_TOKEN`',
    isSecret: true,
  },
  HAULIER_SITE_KEY: {
    kind: token,
    readBy: ['worker', 'cli'],
    shownDefault: 'none',
    meaning: 'a secret that the hosts of one site share: they trust each other, and the key itself is never sent',
    isSecret: true,
  },
  HAULIER_PEERS: {
    kind: listOf(httpUrl),
    readBy: ['worker'],
    default: '',
    shownDefault: 'none',
    meaning:
      'workers that files with a CID are [shared with](serve.md#peers): `http://10.0.0.7:7430,http://10.0.0.8:7430`',
  },
  HAULIER_MDNS: {
    kind: mdns,
    readBy: ['worker'],
    default: 'auto',
    meaning:
      'finds the workers of the [local network](serve.md#peers) that have the same `HAULIER_SITE_KEY`: `auto` where there is a key and other machines reach the server; `off`; or on the interface with this IPv4 address, `10.0.0.7`',
  },
  HAULIER_SERVE_PRIVATE: {
    kind: listOf(anyText),
    readBy: ['worker', 'cli'],
    default: '',
    shownDefault: 'none',
    meaning: 'models that are served to tokens alone, by name; `*` stands for any characters: `secret-*`',
  },
  HAULIER_SERVE_REPOS: {
    kind: listOf(servedRepo),
    readBy: ['worker', 'cli'],
    default: '',
    shownDefault: 'none',
    meaning: 'further names of models as repositories: `acme/whisper=whisper-base`',
  },
  HAULIER_SERVE_ALLOW: {
    kind: listOf(anyText),
    readBy: ['worker', 'cli'],
    default: '',
    shownDefault: 'none',
    meaning: 'repositories that are fetched from the hub when they are asked for: `onnx-community/*,acme/tiny`',
  },
  HAULIER_SERVE_ORIGINS: {
    kind: listOf(pageOrigin),
    readBy: ['worker', 'cli'],
    default: '',
    shownDefault: 'none',
    meaning:
      'web pages of these origins may read in a browser: `https://app.example,http://localhost:5173`; `*` for all',
  },
  HAULIER_SERVE_RATE: {
    kind: rate,
    readBy: ['worker', 'cli'],
    shownDefault: 'none',
    meaning: 'most bytes per second that are served to all clients and other hosts together',
  },
  HAULIER_SERVE_CLIENT_RATE: {
    kind: rate,
    readBy: ['worker', 'cli'],
    shownDefault: 'none',
    meaning: 'most bytes per second that are served to one client',
  },
  HAULIER_SERVE_CLIENT_REQUESTS: {
    kind: wholeNumber(10, 10_000_000),
    readBy: ['worker', 'cli'],
    shownDefault: 'none',
    meaning: 'most requests of one client within a minute; beyond, they are answered with 429',
  },
  HAULIER_VERIFY_RATE: {
    kind: rate,
    readBy: ['worker'],
    default: '100M',
    meaning: 'most bytes per second that are read to hash the store again',
  },
  HTTP_PROXY: {
    kind: proxyUrl,
    readBy: ['api', 'worker', 'cli'],
    shownDefault: 'none',
    meaning: 'proxy for `http://` sources and webhooks, `http://host:port`; `http_proxy` counts after it',
    alias: 'http_proxy',
  },
  HTTPS_PROXY: {
    kind: proxyUrl,
    readBy: ['api', 'worker', 'cli'],
    shownDefault: 'none',
    meaning: 'proxy for `https://` sources and webhooks, `http://host:port`; `https_proxy` counts after it',
    alias: 'https_proxy',
  },
  NO_PROXY: {
    kind: anyText,
    readBy: ['api', 'worker', 'cli'],
    shownDefault: 'none',
    meaning:
      'hosts without a proxy: `*`, `host`, `.suffix`, `host:port`, an address or a CIDR block; `no_proxy` counts after it',
    alias: 'no_proxy',
  },
  OTEL_EXPORTER_OTLP_ENDPOINT: {
    kind: httpUrl,
    readBy: ['api', 'worker'],
    shownDefault: 'none',
    meaning:
      'collector of OpenTelemetry that [traces](operations.md#traces) are sent to, such as `http://127.0.0.1:4318`; without it nothing is traced',
  },
  OTEL_EXPORTER_OTLP_HEADERS: {
    kind: listOf(headerPair),
    readBy: ['api', 'worker'],
    default: '',
    shownDefault: 'none',
    meaning: 'headers for the collector: `authorization=Bearer%20abc`',
    isSecret: true,
  },
  OTEL_TRACES_SAMPLER_ARG: {
    kind: share,
    readBy: ['api', 'worker'],
    default: '1',
    meaning: 'share of the traces that begin here and are sent, 0 to 1',
  },
  HAULIER_URL: {
    kind: apiUrl,
    readBy: ['cli', 'worker'],
    default: 'http://127.0.0.1:7420',
    meaning: 'the API',
  },
  HAULIER_TOKEN: {
    kind: token,
    readBy: ['cli'],
    shownDefault: 'none',
    meaning: 'token for the API',
    isSecret: true,
  },
} as const satisfies Readonly<Record<string, Setting>>;

export type SettingName = keyof typeof SETTINGS;

/** Names of the settings that one kind of program reads. */
export type SettingOf<Reader extends SettingReader> = {
  [Name in SettingName]: Reader extends (typeof SETTINGS)[Name]['readBy'][number] ? Name : never;
}[SettingName];

export const settingsOf = <Reader extends SettingReader>(reader: Reader): readonly SettingOf<Reader>[] =>
  (Object.keys(SETTINGS) as SettingName[]).filter((name): name is SettingOf<Reader> =>
    SETTINGS[name].readBy.some((one) => one === reader),
  );
