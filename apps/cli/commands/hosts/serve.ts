import { existsSync } from 'node:fs';
import { messageOf } from '#core/error-facts';
import { silentLogger, type Logger } from '#core/logger';
import { bindAddress, servedRepo, wholeNumber } from '#core/settings/setting-kinds';
import { createServeMetrics } from '#metrics/serve-metrics';
import { addressesOfHost, isEveryInterface, serverUrl } from '#os/addresses';
import { parseAddressPolicy } from '#http/address/address-policy';
import { createHttp, type Http } from '#http/pool';
import { isOwnEndpoint } from '#serve/pull/own-endpoint';
import type { Upstream } from '#serve/pull/pull-files';
import { pullThrough } from '#serve/pull/pull-through';
import { createServe } from '#serve/serve';
import { serveServer } from '#serve/server';
import { SERVE_SETTING_NAMES, serveSettings, type ServeSettings } from '#serve/serve-settings';
import { storePaths } from '#store/layout';
import { openStore, type Store } from '#store/open-store';
import { StoreSweep } from '#store/upkeep/store-sweep';
import { SWEEP_SETTING_NAMES, sweepLimits } from '#store/upkeep/sweep-settings';
import { cliErrorOf, usageOf } from '../../cli-error-of.ts';
import type { CommandContext } from '../../context.ts';
import { CliError, EXIT } from '../../exit-code.ts';
import { authoritiesOf, gatewaysOf, hubEndpoint, hubToken, proxyOf, readAllowedAddresses } from '../../network.ts';
import { settingsFrom } from '../../settings.ts';
import { haulierHome } from '../../stack/stack-config.ts';
import { optionOf } from '../../typed.ts';
import { untilAborted } from '../stack/up.ts';

export interface ServeCommandOptions {
  readonly bind?: string;
  readonly port?: string;
  /** `owner/name=model`. */
  readonly repo?: readonly string[];
  /** Patterns of `owner/name`. */
  readonly allow?: readonly string[];
}

const PORT = wholeNumber(0, 65_535, 'write a port from 0 (any free one) to 65535');

/** Serves the store of this host to standard clients until it is interrupted; needs no other server, and may run beside a worker. */
export async function serve(options: ServeCommandOptions, context: CommandContext): Promise<void> {
  const { host, port, allow, ...settings } = settingsOf(options, context.env);
  const home = haulierHome(context.env);
  if (allow.length === 0 && !existsSync(storePaths(home).version))
    throw new CliError(
      EXIT.usage,
      `${home} holds no store: set HAULIER_HOME to the folder that the worker has, install models with "haulier bundle install", ` +
        'or fetch what clients ask for with --allow',
    );
  const store = await openStore({ home }).catch((error: unknown) => {
    throw cliErrorOf(error);
  });
  const logger = warningsTo(context);
  const sweep = allow.length === 0 ? undefined : sweepOf(store, logger, context.env);
  const metrics = createServeMetrics();
  const http = httpOf(context.env);
  const upstream = upstreamOf(http, context.env);
  const pull = pullThrough({ store, allow, upstream, logger });
  const handler = createServe({ ...settings, store, pull, metrics: metrics.expose, onServed: metrics.count });
  const server = serveServer({ host, port, handler, onStop: pull?.stop });
  try {
    const at = await server.start().catch((error: unknown) => {
      throw new CliError(
        EXIT.usage,
        `cannot listen on port ${port ?? 7430} of ${host} (${messageOf(error)}): set --bind and --port, or 0 for a free port`,
      );
    });
    if (pull !== undefined) refuseOwnEndpoint(upstream.hfEndpoint, at);
    sweep?.start();
    context.stdout.write(greeting(home, serverUrl(shownAddress(at.host), at.port)));
    await untilAborted(context.signal);
  } finally {
    sweep?.stop();
    await server.stop();
    http.close();
  }
}

/** What was fetched for clients must not fill the disk: no worker may look after this store. */
function sweepOf(store: Store, logger: Logger, env: NodeJS.ProcessEnv): StoreSweep {
  const values = settingsFrom(env, 'HAULIER_STORE_SWEEP_EVERY', ...SWEEP_SETTING_NAMES);
  return new StoreSweep({ store, logger, limits: sweepLimits(values), everyMs: values.HAULIER_STORE_SWEEP_EVERY });
}

function refuseOwnEndpoint(endpoint: string, at: { readonly host: string; readonly port: number }): void {
  if (isOwnEndpoint(endpoint, at))
    throw new CliError(
      EXIT.usage,
      `HF_ENDPOINT is "${endpoint}", which is this server itself: set it for clients alone, and here to the hub that is asked, or not at all`,
    );
}

/** Options of the command line count before settings of the environment. */
function settingsOf({ bind, port, repo, allow }: ServeCommandOptions, env: NodeJS.ProcessEnv): ServeSettings {
  const values = settingsFrom(env, ...SERVE_SETTING_NAMES);
  return usageOf(() =>
    serveSettings({
      ...values,
      ...(bind !== undefined && { HAULIER_SERVE_BIND: optionOf('--bind', bindAddress, bind) }),
      ...(port !== undefined && { HAULIER_SERVE_PORT: optionOf('--port', PORT, port) }),
      ...(repo !== undefined && { HAULIER_SERVE_REPOS: repo.map((text) => optionOf('--repo', servedRepo, text)) }),
      ...(allow !== undefined && { HAULIER_SERVE_ALLOW: allow }),
    }),
  );
}

/** What is fetched for clients has the network of the other commands. */
const httpOf = (env: NodeJS.ProcessEnv): Http =>
  usageOf(() =>
    createHttp({
      addressPolicy: parseAddressPolicy(readAllowedAddresses(env)),
      proxy: proxyOf(env),
      ca: authoritiesOf(undefined, env),
    }),
  );

const upstreamOf = (http: Http, env: NodeJS.ProcessEnv): Upstream => ({
  ...{ http, hfEndpoint: hubEndpoint(undefined, env), hfToken: hubToken(env), gateways: gatewaysOf([], env) },
});

/** Failures of what is fetched, as sentences on stderr. */
const warningsTo = ({ stderr }: CommandContext): Logger => ({
  ...silentLogger,
  warn: (fields, event) => {
    const { err, repo, revision, path, cid } = fields as Readonly<Record<string, unknown>>;
    const about = [repo, revision, path, cid].filter((name) => name !== undefined).join(' ');
    const why = err === undefined ? '' : `: ${messageOf(err)}`;
    stderr.write(`warning: ${event}${about === '' ? '' : ` (${about})`}${why}\n`);
  },
});

/** Clients cannot ask a server at the address that stands for all interfaces. */
const shownAddress = (bind: string): string =>
  isEveryInterface(bind) ? (addressesOfHost(bind === '::')[0] ?? 'localhost') : bind;

const greeting = (home: string, url: string): string =>
  [
    `serving the store in ${home}; stop with Ctrl-C`,
    `  Hugging Face clients   HF_ENDPOINT=${url}`,
    `  IPFS clients           ${url}/ipfs/CID`,
    `  what is served         ${url}/`,
    '',
  ].join('\n');
