import { join } from 'node:path';
import type { Network } from './links/network.ts';
import type { LabHost } from './swarm-lab.ts';

const BAD_ANSWERS = new URL('./bad-answers.js', import.meta.url).href;
const SITE_KEY = 'key-of-the-bench';
const SERVE_PORT = '7430';

export interface WorkerPlace {
  readonly network: Network;
  readonly originUrl: string;
  readonly folder: string;
  readonly isEnrolled: boolean;
  readonly hasNamespaces: boolean;
}

export const homeOf = (folder: string, host: string): string => join(folder, 'hosts', host);

/** Settings of the worker of a host. Without network namespaces the worker keeps the rate of its link itself. */
export function workerEnv(host: LabHost, place: WorkerPlace): NodeJS.ProcessEnv {
  const { network, originUrl, folder, isEnrolled, hasNamespaces } = place;
  const rate = String(host.bytesPerSecond);
  const address = network.addressOf(host.name);
  return {
    ...{ HAULIER_HOST: host.name, HAULIER_HOME: homeOf(folder, host.name), HAULIER_LOG_LEVEL: 'info' },
    ...{ IPFS_GATEWAYS: originUrl, HF_ENDPOINT: originUrl, HAULIER_ALLOW_ADDRESSES: network.block },
    ...{ HAULIER_SERVE_BIND: address, HAULIER_SERVE_PORT: hasNamespaces ? SERVE_PORT : '0' },
    // Beyond this machine a server needs a rule; other hosts read with tokens of the API.
    ...(hasNamespaces && { HAULIER_SERVE_TOKENS: 'of-clients' }),
    ...(!hasNamespaces && { HAULIER_LIMIT_RATE: rate, HAULIER_SERVE_RATE: rate }),
    ...(!isEnrolled && { HAULIER_MDNS: address, HAULIER_SITE_KEY: SITE_KEY }),
    ...(host.site !== undefined && { HAULIER_LABELS: `site=${host.site}` }),
    ...(host.answers !== undefined && { NODE_OPTIONS: `--import=${BAD_ANSWERS}`, BENCH_ANSWERS: host.answers }),
  };
}
