import type { Manifest } from '#contracts/manifest';
import type { Database } from '../sql/connect.ts';

/** A model whose origin is to be asked now. */
export interface DueModel {
  readonly name: string;
  /** When the check became due. It names the slot, so that a slot is queued once. */
  readonly dueAt: Date;
  /** Of its current version. */
  readonly manifest: Manifest;
}

/** @returns models with a version whose check is due, the longest overdue first */
export async function dueModels(database: Database, now: Date, limit: number): Promise<DueModel[]> {
  const sql = `SELECT o.name, o.next_check_at AS "dueAt", m.json AS manifest
    FROM models o JOIN manifests m ON m.model = o.name AND m.version = o.current_version
    WHERE o.next_check_at <= $1 ORDER BY o.next_check_at LIMIT $2`;
  return (await database.pool.query<DueModel>(sql, [now, limit])).rows;
}

/** Sets the next slot, unless another process moved it meanwhile. */
export async function setNextCheck(database: Database, { name, dueAt }: DueModel, nextAt: Date): Promise<void> {
  const sql = 'UPDATE models SET next_check_at = $3 WHERE name = $1 AND next_check_at = $2';
  await database.pool.query(sql, [name, dueAt, nextAt]);
}

/** Makes the check of a model due now. @returns false when there is no such model */
export async function makeCheckDue(database: Database, model: string, now: Date): Promise<boolean> {
  const sql = 'UPDATE models SET next_check_at = least(next_check_at, $2) WHERE name = $1';
  return (await database.pool.query(sql, [model, now])).rowCount === 1;
}
