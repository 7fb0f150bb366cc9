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

/** By model and source. */
export async function listVersionChecks(database: Database, model?: string): Promise<VersionCheckRow[]> {
  return database.prisma.versionCheck.findMany({
    where: model === undefined ? {} : { model },
    orderBy: [{ model: 'asc' }, { source: 'asc' }],
  });
}
