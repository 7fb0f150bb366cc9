import type { Database } from '../sql/connect.ts';

/**
 * Holds a model at one version: requests that name no version get it, whatever is published later.
 *
 * @returns false when the model has no such version
 */
export async function pinModel(database: Database, model: string, version: string, now: Date): Promise<boolean> {
  const sql = `INSERT INTO model_pins (model, version, pinned_at)
    SELECT m.model, m.version, $3 FROM manifests m WHERE m.model = $1 AND m.version = $2
    ON CONFLICT (model) DO UPDATE SET version = excluded.version, pinned_at = excluded.pinned_at`;
  return (await database.pool.query(sql, [model, version, now])).rowCount === 1;
}

/** A model without a pin stays as it is. */
export async function unpinModel(database: Database, model: string): Promise<void> {
  await database.pool.query('DELETE FROM model_pins WHERE model = $1', [model]);
}

/** @returns model to pinned version, of one model or of all */
export async function pinnedVersions(database: Database, model?: string): Promise<Map<string, string>> {
  const sql = 'SELECT model, version FROM model_pins WHERE $1::text IS NULL OR model = $1';
  const { rows } = await database.pool.query<{ model: string; version: string }>(sql, [model ?? null]);
  return new Map(rows.map((row) => [row.model, row.version]));
}
