import { SourceError, type SourceFailureKind } from '#core/failure';
import type { Logger } from '#core/logger';

const SILENT =
  'a host of HAULIER_PEERS does not answer: is its worker running, and does a firewall let its port through?';

/** What an operator changes. A host that is busy, or that does not have a file, is in order. */
const ADVICE: Partial<Record<SourceFailureKind, string>> = {
  forbidden:
    'a host of HAULIER_PEERS refuses this one: give both the same HAULIER_SITE_KEY, and set their clocks right',
  'bad-response': 'a server of HAULIER_PEERS is no worker: write the address of a worker, with its HAULIER_SERVE_PORT',
  unreachable: SILENT,
  'timed-out': SILENT,
};

/**
 * Says once of each configured host, and of each way of failing, what keeps it from giving pieces: the transfers go on without it, so nothing
 * else would show it.
 *
 * @param peers `http://host:port` each
 * @returns takes what a question to a host failed with; of hosts that are not configured it says nothing
 */
export function adviseOnPeers(peers: readonly string[], logger: Logger): (url: string, error: unknown) => void {
  const origins = new Set(peers.map(originOf));
  const told = new Set<string>();
  return (url, error) => {
    const advice = error instanceof SourceError ? ADVICE[error.kind] : undefined;
    const origin = originOf(url);
    if (!(error instanceof SourceError) || advice === undefined || !origins.has(origin)) return;
    if (told.has(`${origin} ${advice}`)) return;
    told.add(`${origin} ${advice}`);
    logger.warn({ peer: origin, reason: error.message }, advice);
  };
}

const originOf = (url: string): string => new URL(url).origin;
