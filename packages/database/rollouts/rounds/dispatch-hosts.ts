import { toJobFile } from '#contracts/file-spec';
import type { Manifest } from '#contracts/manifest';
import type { RolloutSpec } from '#core/rollout/rollout-spec';
import { contentKeyOf } from '../../downloads/content-key.ts';
import { insertDownloadsIn, type DownloadOrder } from '../../downloads/insert-downloads.ts';
import { stillDecided } from '../holds.ts';
import { moveHosts, type Client } from '../moves.ts';
import { decidedAt, type RolloutRow } from '../rollout-row.ts';
import { ZONE_SQL } from '../state-sql.ts';

const READY_SQL = `
  SELECT h.host, h.state AS from_state, 'dispatch' AS event, NULL AS failure_class, NULL AS reason FROM rollout_hosts h
  LEFT JOIN hosts k ON k.name = h.host
  WHERE h.rollout_id = $1 AND h.site = $3 AND h.wave IS NOT NULL AND h.state = 'pending'
    AND ($5::text[] IS NULL OR ${ZONE_SQL} = ANY($5))
  ORDER BY h.wave, h.position, h.host LIMIT $4`;

/** Gives work to so many hosts of a site. @returns their names */
export async function takeReadyHosts(
  client: Client,
  { id }: RolloutRow,
  { site, count }: { readonly site: string; readonly count: number },
  { now, openZones = null }: { readonly now: Date; readonly openZones?: readonly string[] | null | undefined },
): Promise<string[]> {
  const moved = await moveHosts(client, id, READY_SQL, [site, count, openZones], now);
  const hosts = moved.map(({ host }) => host);
  const sql = `UPDATE rollout_hosts SET dispatched_at = $3, progress_at = $3
    WHERE rollout_id = $1 AND host = ANY($2::text[])`;
  await client.query(sql, [id, hosts, now]);
  return hosts;
}

/** The newest row of each file on each host, an open one before all others. `is_own`: the statement before made it. */
const LINK_SQL = `
  INSERT INTO rollout_downloads (rollout_id, host, download_id, is_own)
  SELECT DISTINCT ON (d.host, d.content_key, d.path) $1::uuid, d.host, d.id, d.created_at = $6
  FROM jsonb_to_recordset($2::jsonb) AS f (path text, content_key text)
  CROSS JOIN unnest($3::text[]) AS h (host)
  JOIN downloads d ON d.content_key = f.content_key AND d.path = f.path AND coalesce(d.host, '') = h.host
  WHERE coalesce(d.model, '') = $4 AND coalesce(d.version, '') = $5
  ORDER BY d.host, d.content_key, d.path, d.status IN ('pending', 'in_progress', 'resuming', 'paused') DESC,
    d.created_at DESC, d.id DESC
  ON CONFLICT DO NOTHING`;

/**
 * Writes the downloads of hosts that were taken, one statement for each model, and remembers which they are. The relay makes the jobs. A
 * host that has the files says so: its record is not trusted. A rollout that holds leaves out what was decided later for a host.
 *
 * @returns false when a version is gone; nothing can be downloaded then
 */
export async function writeDownloads(
  client: Client,
  row: RolloutRow,
  hosts: readonly string[],
  now: Date,
): Promise<boolean> {
  const { id, spec, isHolding } = row;
  const deadlineMs = isHolding ? spec.deadlineMs : Math.max(1, row.deadlineAt.getTime() - now.getTime());
  const decision = { rolloutId: id, at: isHolding ? decidedAt(row) : now };
  const begun = new Set<string>();
  // By name, so that two rollouts with the same models at once do not wait for each other.
  for (const { name, version } of [...row.models].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const sql = 'SELECT json FROM manifests WHERE model = $1 AND version = $2';
    const stored = (await client.query<{ json: Manifest }>(sql, [name, version])).rows[0];
    if (stored === undefined) return false;
    const lacking = isHolding ? await stillDecided(client, row, name, hosts) : hosts;
    if (lacking.length === 0) continue;
    const traceparent = row.traceparent ?? undefined;
    const request = { ...requestOf(stored.json, lacking, spec), deadlineMs, decision, traceparent };
    await insertDownloadsIn(client, request, { finishedOn: [] }, now);
    const files = request.files.map((file) => ({ path: file.path, content_key: contentKeyOf(file) }));
    await client.query(LINK_SQL, [id, JSON.stringify(files), lacking, name, version, now]);
    for (const host of lacking) begun.add(host);
  }
  const left = hosts.filter((host) => !begun.has(host));
  if (left.length > 0) await moveHosts(client, id, LEFT_SQL, [left], now);
  return true;
}

const LEFT_SQL = `
  SELECT h.host, h.state AS from_state, 'supersede' AS event, NULL AS failure_class,
    'another version was asked for there meanwhile' AS reason
  FROM rollout_hosts h WHERE h.rollout_id = $1 AND h.host = ANY($3::text[])`;

const requestOf = (manifest: Manifest, hosts: readonly string[], spec: RolloutSpec): DownloadOrder => ({
  hosts,
  files: manifest.files.map((file) => toJobFile(file, manifest.sources)),
  model: { name: manifest.name, type: manifest.type, version: manifest.version },
  isHeld: spec.mode !== undefined,
  priority: spec.priority,
});
