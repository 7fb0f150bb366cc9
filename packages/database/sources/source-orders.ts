import type { LayerName } from '#core/layer';
import type { Database } from '../sql/connect.ts';

/** The order of the sources of a layer, as an admin set it. */
export interface SourceOrderRow {
  readonly layer: LayerName;
  /** Empty: the order is left to what is measured. */
  readonly origins: readonly string[];
  /** Grows with each change, from 1. */
  readonly version: number;
  readonly by: string;
  readonly at: Date;
}

const COLUMNS = 'layer, origins, version, set_by AS by, set_at AS at';

/** @returns the layers whose order was ever set */
export async function sourceOrders({ pool }: Database): Promise<SourceOrderRow[]> {
  return (await pool.query<SourceOrderRow>(`SELECT ${COLUMNS} FROM source_orders ORDER BY layer`)).rows;
}

/**
 * Replaces the order of a layer.
 *
 * @param onlyIfVersion changes nothing when the order has another version; 0 is that of an order that was never set
 * @returns undefined when nothing was changed
 */
export async function setSourceOrder(
  { pool }: Database,
  { layer, origins, by, at }: Omit<SourceOrderRow, 'version'>,
  onlyIfVersion?: string,
): Promise<SourceOrderRow | undefined> {
  const sql = `INSERT INTO source_orders AS o (layer, origins, version, set_by, set_at)
    SELECT $1, $2::text[], 1, $3, $4
      WHERE $5::text IS NULL OR $5 = coalesce((SELECT version FROM source_orders WHERE layer = $1), 0)::text
    ON CONFLICT (layer) DO UPDATE SET origins = excluded.origins, version = o.version + 1, set_by = excluded.set_by,
      set_at = excluded.set_at WHERE $5::text IS NULL OR $5 = o.version::text
    RETURNING ${COLUMNS}`;
  return (await pool.query<SourceOrderRow>(sql, [layer, origins, by, at, onlyIfVersion ?? null])).rows[0];
}
