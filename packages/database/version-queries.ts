import type { Database } from './connect.ts';
import type { VersionCheck } from './generated/client.ts';

export type VersionCheckRow = VersionCheck;

export interface VersionAnswer {
  readonly model: string;
  /** Who was asked, such as `huggingface` or `ipfs`. */
  readonly source: string;
  readonly current: string | undefined;
  readonly available: string | undefined;
  readonly newer: boolean;
  /** Why the check found nothing out. */
  readonly error?: string | undefined;
}

/** Keeps the latest answer per model and source (VE2). An older answer that arrives late is dropped. */
export async function recordVersionCheck(database: Database, answer: VersionAnswer, checkedAt: Date): Promise<void> {
  const { model, source, current, available, newer, error } = answer;
  const sql = `INSERT INTO version_checks AS v (model, source, current, available, newer, error, checked_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
    ON CONFLICT (model, source) DO UPDATE SET current = excluded.current, available = excluded.available,
      newer = excluded.newer, error = excluded.error, checked_at = excluded.checked_at
    WHERE v.checked_at <= excluded.checked_at`;
  await database.pool.query(sql, [model, source, current ?? null, available ?? null, newer, error ?? null, checkedAt]);
}

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

/** By model and source. */
export async function listVersionChecks(database: Database, model?: string): Promise<VersionCheckRow[]> {
  return database.prisma.versionCheck.findMany({
    where: model === undefined ? {} : { model },
    orderBy: [{ model: 'asc' }, { source: 'asc' }],
  });
}
