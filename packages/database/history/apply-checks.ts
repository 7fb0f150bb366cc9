import type pg from 'pg';
import { HOUR_MS } from '#core/units';
import type { CheckEvent } from './event-waves.ts';

/** A newer version that was not known before. */
export interface NewerVersion {
  readonly model: string;
  readonly current: string;
  readonly available: string;
  readonly source: string;
}

/** Longest pause before the next check after a failed one. */
const RETRY_MS = HOUR_MS;

/*
 * An answer about another version than the current one, or one older than the last, changes nothing. An origin that names a
 * version which is published here, such as a stale or rolled-back name, has nothing newer. A failed check keeps the known answer.
 */
const RECORD_SQL = `
  INSERT INTO version_checks AS v (model, source, current, available, newer, error, checked_at, answered_at)
  SELECT o.name, $2, $3, $4, $5 AND NOT EXISTS (
      SELECT 1 FROM manifests m WHERE m.model = o.name AND (m.cid = $4 OR jsonb_path_exists(
        m.json, '$.**.revision ? (@ == $available)', jsonb_build_object('available', $4::text)
      ))
    ), $6, $7, CASE WHEN $6::text IS NULL THEN $7::timestamptz END
  FROM models o WHERE o.name = $1 AND o.current_version = $3
  ON CONFLICT (model, source) DO UPDATE SET current = excluded.current, error = excluded.error,
    available = CASE WHEN excluded.error IS NULL OR v.current IS DISTINCT FROM excluded.current THEN excluded.available ELSE v.available END,
    newer = CASE WHEN excluded.error IS NULL OR v.current IS DISTINCT FROM excluded.current THEN excluded.newer ELSE v.newer END,
    checked_at = excluded.checked_at, answered_at = coalesce(excluded.answered_at, v.answered_at)
  WHERE v.checked_at <= excluded.checked_at
  RETURNING newer`;

const BEFORE_SQL = 'SELECT current, available, newer FROM version_checks WHERE model = $1 AND source = $2 FOR UPDATE';

const RETRY_SQL = 'UPDATE models SET next_check_at = least(next_check_at, $2) WHERE name = $1';

/** A pinned model gets no notice: it stays at its version on purpose. */
const NOTICE_SQL = `
  INSERT INTO host_notices (boot_id, sequence, position, host, at, notice, model, path, message, facts)
  SELECT $1, $2, $3, $4, $5, 'newer_version', $6, NULL, $7, $8
  WHERE NOT EXISTS (SELECT 1 FROM model_pins p WHERE p.model = $6) ON CONFLICT DO NOTHING`;

interface Before {
  readonly current: string | null;
  readonly available: string | null;
  readonly newer: boolean;
}

/**
 * Stores the answers of version checks: a row per model and origin, and a notice when a newer version is seen for the first
 * time.
 *
 * @param now our clock
 * @returns the newer versions that were not known before
 */
export async function applyChecks(
  client: pg.PoolClient,
  checks: readonly CheckEvent[],
  now: Date,
): Promise<NewerVersion[]> {
  const news: NewerVersion[] = [];
  for (const check of checks) {
    const { model, source, current, available, newer, error, at } = check;
    const [before] = (await client.query<Before>(BEFORE_SQL, [model, source])).rows;
    const parameters = [model, source, current, available, newer, error, new Date(at)];
    const [row] = (await client.query<{ newer: boolean }>(RECORD_SQL, parameters)).rows;
    if (row === undefined) continue;
    if (error !== null) await client.query(RETRY_SQL, [model, new Date(now.getTime() + RETRY_MS)]);
    else if (row.newer && available !== null && !isKnown(before, check) && (await tell(client, check, available)))
      news.push({ model, current, available, source });
  }
  return news;
}

const isKnown = (before: Before | undefined, { current, available }: CheckEvent): boolean =>
  before?.newer === true && before.current === current && before.available === available;

/** @returns false for a pinned model, and when it was told before */
async function tell(client: pg.PoolClient, check: CheckEvent, available: string): Promise<boolean> {
  const { bootId, sequence, position, host, at, model, current, source } = check;
  const message = `a newer version of "${model}" is at ${source}: ${available}; the current version is ${current}; the newer one is not downloaded automatically`;
  const facts = JSON.stringify({ source, current, available });
  const values = [bootId, sequence, position, host, new Date(at), model, message.slice(0, 1000), facts];
  return (await client.query(NOTICE_SQL, values)).rowCount === 1;
}
