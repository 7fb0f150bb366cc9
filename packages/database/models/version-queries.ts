import type { Database } from '../sql/connect.ts';

/** A newer version that is to be told of. */
export interface OutdatedModel {
  readonly model: string;
  readonly current: string;
  readonly newer: string;
}

/**
 * Models whose current version is not the newest any more, as far as checks know (VE2). A pinned model is meant to stay where it
 * is (VE6).
 */
export async function outdatedModels(database: Database, model?: string): Promise<OutdatedModel[]> {
  const sql = `SELECT DISTINCT ON (c.model) c.model, c.current, c.available AS newer
    FROM version_checks c JOIN models o ON o.name = c.model AND o.current_version = c.current
    WHERE c.newer AND c.available IS NOT NULL AND ($1::text IS NULL OR c.model = $1)
      AND NOT EXISTS (SELECT 1 FROM model_pins p WHERE p.model = c.model)
    ORDER BY c.model, c.checked_at DESC`;
  return (await database.pool.query<OutdatedModel>(sql, [model ?? null])).rows;
}
