import type { Database } from '../sql/connect.ts';

/** A model with a newer version at its origin. */
export interface OutdatedModel {
  readonly model: string;
  readonly current: string;
  readonly newer: string;
}

/**
 * Models whose current version is older than the newest that a check found. Pinned models are left out.
 */
export async function outdatedModels(database: Database, model?: string): Promise<OutdatedModel[]> {
  const sql = `SELECT DISTINCT ON (c.model) c.model, c.current, c.available AS newer
    FROM version_checks c JOIN models o ON o.name = c.model AND o.current_version = c.current
    WHERE c.newer AND c.available IS NOT NULL AND ($1::text IS NULL OR c.model = $1)
      AND NOT EXISTS (SELECT 1 FROM model_pins p WHERE p.model = c.model)
    ORDER BY c.model, c.checked_at DESC`;
  return (await database.pool.query<OutdatedModel>(sql, [model ?? null])).rows;
}
