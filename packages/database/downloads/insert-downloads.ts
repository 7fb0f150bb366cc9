import { createHash } from 'node:crypto';
import type pg from 'pg';
import type { JobFile } from '#contracts/file-spec';
import type { Strategy } from '#core/file-spec';
import type { LayerName } from '#core/layer';
import { DEFAULT_DEADLINE_MS } from '#core/policy';
import type { Database } from '../sql/connect.ts';
import { contentKeyOf } from './content-key.ts';
import { inTransaction, sqlStateOf } from '../sql/transaction.ts';

/** Every file is wanted on every host. */
export interface DownloadOrder {
  /** Host names; null asks any worker of the pool. At least one. */
  readonly hosts: readonly (string | null)[];
  readonly files: readonly JobFile[];
  readonly model?: { readonly name: string; readonly type: string; readonly version: string } | undefined;
  readonly layers?: readonly LayerName[] | undefined;
  readonly strategy?: Strategy | undefined;
  readonly limitBytesPerSecond?: number | undefined;
  /** The files are stored, and their version is shown only by an activation. */
  readonly isHeld?: boolean | undefined;
  /** 1 is first; left out: before all numbers. */
  readonly priority?: number | undefined;
  /** How long unreachable sources are waited for; milliseconds, default DEFAULT_DEADLINE_MS. */
  readonly deadlineMs?: number | undefined;
  /** What decided that the hosts are to have this version, and since when; left out: the request itself, now. */
  readonly decision?: { readonly rolloutId: string; readonly at: Date } | undefined;
  /** Names the work that asks, in its trace. */
  readonly traceparent?: string | undefined;
}

/** Which rows answer a request besides those that are open. */
export interface Trust {
  /** Hosts whose completed rows count as an answer, so that no new row is made. Null is the pool. */
  readonly finishedOn: readonly (string | null)[];
}

/*
 * Rows go in by the order of their key, so that two equal requests at once do not deadlock.
 */
const NEW_ROWS_SQL = `
  WITH wanted AS MATERIALIZED (
    SELECT f.* FROM jsonb_to_recordset($9::jsonb)
      AS f (path text, cid text, hash text, content_key text, file_id uuid, file jsonb, total_bytes bigint)
  ), specs AS (
    INSERT INTO file_specs (id, file) SELECT DISTINCT ON (f.file_id) f.file_id, f.file FROM wanted f ORDER BY f.file_id
    ON CONFLICT DO NOTHING
  )
  INSERT INTO downloads (host, model, model_type, version, path, cid, hash, content_key, file_id,
    layers, strategy, limit_bytes_per_second, total_bytes, created_at, updated_at, asked_at, is_held, priority,
    deadline_ms, deadline_at, traceparent)
  SELECT h.host, $2, $3, $4, f.path, f.cid, f.hash, f.content_key, f.file_id,
    $5::text[], $6, $7, f.total_bytes, $8, $8, $8, $11, $12, $13::bigint,
    $8::timestamptz + $13::bigint * interval '1 millisecond', $14
  FROM unnest($1::text[]) AS h (host)
  CROSS JOIN wanted f
  WHERE NOT (coalesce(h.host, '') = ANY($10::text[]) AND EXISTS (
    SELECT 1 FROM downloads d WHERE d.content_key = f.content_key AND d.path = f.path
      AND coalesce(d.host, '') = coalesce(h.host, '') AND d.status = 'success' AND NOT d.is_held
      AND coalesce(d.model, '') = coalesce($2, '') AND coalesce(d.version, '') = coalesce($4, '')
  ))
  ORDER BY f.content_key, f.path, h.host`;

const CREATE_SQL = `${NEW_ROWS_SQL}
  ON CONFLICT (content_key, path, (coalesce(host, '')), (coalesce(model, '')), (coalesce(version, '')))
    WHERE status IN ('pending', 'in_progress', 'resuming', 'paused')
  DO NOTHING`;

/** What waits and is asked for again: it is wanted as of now, and its repair does not wait for the budget of its site. */
const ASKED_SQL = `
  UPDATE downloads d SET asked_at = $5, repair_waits = false
  FROM jsonb_to_recordset($1::jsonb) AS f (path text, content_key text) CROSS JOIN unnest($2::text[]) AS h (host)
  WHERE d.content_key = f.content_key AND d.path = f.path AND coalesce(d.host, '') = coalesce(h.host, '')
    AND d.model IS NOT DISTINCT FROM $3 AND d.version IS NOT DISTINCT FROM $4
    AND d.status = 'pending' AND d.created_at < $5`;

/** Whether one of the files is on its way to any host. */
const UNDER_WAY_SQL = `
  SELECT EXISTS (
    SELECT 1 FROM jsonb_to_recordset($1::jsonb) AS f (path text, content_key text)
    JOIN downloads d ON d.content_key = f.content_key AND d.path = f.path
    WHERE d.status IN ('pending', 'in_progress', 'resuming', 'paused')
  ) AS found`;

/** From so many rows on, the check for each row whether it is there is worth a look beforehand. */
const MANY_ROWS = 1000;
const UNIQUE_VIOLATION = '23505';

/**
 * Writes one row per host and file in one statement. An open download is shared: no second row is made for the same
 * content at the same place.
 *
 * @param trust whose finished rows count as an answer
 * @param now becomes `createdAt` of new rows
 * @returns how many rows are new
 */
export async function insertDownloads(
  database: Database,
  request: DownloadOrder,
  trust: Trust,
  now: Date,
): Promise<number> {
  return inTransaction(database, (client) => insertDownloadsIn(client, request, trust, now));
}

/** The same inside a transaction of the caller. */
export async function insertDownloadsIn(
  client: Pick<pg.ClientBase, 'query'>,
  request: DownloadOrder,
  trust: Trust,
  now: Date,
): Promise<number> {
  const created = await insertRows(client, request, trust, now);
  const { model, decision = { rolloutId: null, at: now } } = request;
  const hosts = [...new Set(request.hosts)].filter((host) => host !== null);
  if (model !== undefined && hosts.length > 0)
    await client.query(DECIDE_SQL, [hosts, model.name, model.version, decision.rolloutId, decision.at]);
  return created;
}

/** What is wanted on these hosts from now on, unless something was decided later. In the order of the key, as the rows. */
const DECIDE_SQL = `
  INSERT INTO desired_models AS w (host, model, version, rollout_id, decided_at)
  SELECT h.host, $2, $3, $4, $5 FROM unnest($1::text[]) AS h (host) ORDER BY h.host
  ON CONFLICT (host, model) DO UPDATE
    SET version = excluded.version, rollout_id = excluded.rollout_id, decided_at = excluded.decided_at
    WHERE w.decided_at <= excluded.decided_at`;

async function insertRows(
  client: Pick<pg.ClientBase, 'query'>,
  request: DownloadOrder,
  trust: Trust,
  now: Date,
): Promise<number> {
  const { name = null, version = null } = request.model ?? {};
  const hosts = [...new Set(request.hosts)];
  const files = distinct(request.files.map(toColumns));
  const parameters = parametersOf(request, trust, now);
  const count = hosts.length * files.length;
  const added = count < MANY_ROWS ? undefined : await insertIfNew(client, files, parameters);
  if (added !== undefined) return added;
  const created = (await client.query(CREATE_SQL, parameters)).rowCount ?? 0;
  if (created < count) await client.query(ASKED_SQL, [JSON.stringify(files), hosts, name, version, now]);
  return created;
}

/**
 * Without `ON CONFLICT`, which looks up every row first and costs a sixth of the time.
 *
 * @returns undefined when a row is there already, also of a request at the same moment: nothing is written then
 */
async function insertIfNew(
  client: Pick<pg.ClientBase, 'query'>,
  files: ReturnType<typeof toColumns>[],
  parameters: readonly unknown[],
): Promise<number | undefined> {
  const keys = files.map(({ path, content_key }) => ({ path, content_key }));
  const { rows } = await client.query<{ found: boolean }>(UNDER_WAY_SQL, [JSON.stringify(keys)]);
  if (rows[0]?.found) return undefined;
  await client.query('SAVEPOINT new_rows');
  try {
    const { rowCount } = await client.query(NEW_ROWS_SQL, [...parameters]);
    await client.query('RELEASE SAVEPOINT new_rows');
    return rowCount ?? 0;
  } catch (error) {
    if (sqlStateOf(error) !== UNIQUE_VIOLATION) throw error;
    await client.query('ROLLBACK TO SAVEPOINT new_rows');
    return undefined;
  }
}

function parametersOf(order: DownloadOrder, trust: Trust, now: Date): unknown[] {
  const { hosts, files, model, layers, strategy, limitBytesPerSecond } = order;
  const { isHeld = false, priority, deadlineMs = DEFAULT_DEADLINE_MS, traceparent } = order;
  return [
    [...new Set(hosts)],
    ...[model?.name, model?.type, model?.version],
    ...[layers, strategy, limitBytesPerSecond],
    now,
    JSON.stringify(distinct(files.map(toColumns))),
    trust.finishedOn.map((host) => host ?? ''),
    ...[isHeld, priority, deadlineMs, traceparent],
  ].map((value) => value ?? null);
}

const toColumns = (file: JobFile) => ({
  path: file.path,
  cid: file.cid ?? null,
  hash: file.digests.sha256 ?? null,
  content_key: contentKeyOf(file),
  file_id: uuidOf(JSON.stringify(file)),
  file,
  total_bytes: file.sizeBytes ?? null,
});

/** A uuid made from the content: 128 bits of its SHA-256. */
const uuidOf = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 32);

/** One statement may not touch the same row twice. */
function distinct(rows: ReturnType<typeof toColumns>[]): ReturnType<typeof toColumns>[] {
  return [...new Map(rows.map((row) => [`${row.content_key} ${row.path}`, row])).values()];
}
