import type { Database } from '#database/sql/connect';

/** Things of a seeded fleet that lists are asked about. */
interface Known {
  readonly host: string;
  /** One of those with most downloads. */
  readonly model: string;
  readonly version: string;
  /** With most hosts. */
  readonly rollout: string;
}

/**
 * Every list and search that a dashboard or a pipeline reads, with each of its filters.
 *
 * @param nextOf reads a page. @returns the address of the page after it
 */
export async function pathsOf(
  { pool }: Database,
  nextOf: (path: string) => Promise<string | null | undefined>,
): Promise<string[]> {
  const sql = `SELECT d.host, d.model, d.version, (SELECT h.rollout_id::text FROM rollout_hosts h GROUP BY 1 ORDER BY count(*) DESC LIMIT 1) AS rollout
    FROM downloads d WHERE d.status = 'failed'
      AND d.model = (SELECT m.model FROM downloads m WHERE m.model IS NOT NULL GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1)
    ORDER BY d.created_at DESC LIMIT 1`;
  const known = (await pool.query<Known>(sql)).rows[0]!;
  const first = [...downloadPaths(known), ...hostPaths, ...rolloutPaths(known), ...otherPaths(known)];
  const second: string[] = [];
  for (const path of [
    '/api/downloads?limit=100',
    '/api/downloads?status=failed&limit=100',
    '/api/hosts?limit=100',
    '/api/metrics/downloads?limit=100&window=30d',
  ]) {
    const next = await nextOf(path);
    if (next) second.push(next);
  }
  return [...first, ...second];
}

const downloadPaths = ({ host, model, version }: Known): string[] =>
  [
    'limit=100',
    'limit=500',
    'status=failed',
    'status=in_progress,resuming',
    'status=cancelled',
    `host=${host}`,
    `host=${host}&status=failed`,
    `model=${model}`,
    `model=${model}&version=${version}`,
    `model=${model}&status=failed`,
    `model=${model}&status=paused`,
    `model=${model}&version=0.0.0-none`,
    'status=success&model=none',
  ].map((query) => `/api/downloads?${query}`);

const hostPaths: readonly string[] = [
  ...['limit=100', 'limit=1000', 'q=9&limit=100', 'q=none', 'status=online&limit=100', 'status=offline&limit=100'],
  ...['disk=low&limit=100', 'selector=site%3Deu-1&limit=100', 'version=0.1.0&limit=100'],
]
  .map((query) => `/api/hosts?${query}`)
  .concat('/api/host-facets', '/api/host-facets?status=online', '/api/sites');

const rolloutPaths = ({ rollout, model }: Known): string[] => [
  '/api/rollouts',
  '/api/rollouts?state=running,paused',
  `/api/rollouts?model=${model}`,
  `/api/rollouts/${rollout}`,
  `/api/rollouts/${rollout}/hosts?limit=100`,
  `/api/rollouts/${rollout}/hosts?state=failed&limit=100`,
  `/api/rollouts/${rollout}/hosts?q=99&limit=100`,
  `/api/rollouts/${rollout}/errors`,
  `/api/rollouts/${rollout}/events`,
  `/api/rollouts/${rollout}/host-states`,
  `/api/rollouts/${rollout}/sources`,
];

const otherPaths = ({ host, model }: Known): string[] => [
  '/api/status',
  `/api/hosts/${host}`,
  `/api/hosts/${host}/models`,
  '/api/models',
  `/api/models/${model}`,
  `/api/models/${model}/coverage`,
  '/api/sources',
  '/api/source-orders',
  '/metrics',
  '/api/audit',
  '/api/audit?action=createToken',
  `/api/cids?model=${model}`,
  ...['', '?status=failed,paused', `?model=${model}`, `?host=${host}`].map(
    (filter) => `/api/downloads/errors${filter}`,
  ),
  ...['', '&layer=ipfs', '&status=failure', '&layer=bundled&status=failure'].map(
    (filter) => `/api/metrics/downloads?window=30d&limit=100${filter}`,
  ),
  ...['1h', '24h', '30d', '90d'].map((window) => `/api/metrics/summary?window=${window}`),
  '/api/metrics/health?window=24h',
  ...['bytes_per_second', 'success_rate', 'time_to_ready', 'queue', 'failures', 'fallback_depth'].map(
    (chart) => `/api/metrics/query?chart=${chart}&window=30d`,
  ),
];
