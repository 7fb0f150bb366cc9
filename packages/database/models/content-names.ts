import type { Database } from '../sql/connect.ts';

/** A file of a version. */
export interface ContentName {
  readonly cid: string;
  readonly model: string;
  readonly version: string;
  readonly path: string;
}

const MOST_NAMES = 5;

/**
 * Files of versions that have a content, of the newest versions first; a few of each content.
 *
 * @param cids as manifests name them
 */
export async function namesOfContents({ pool }: Database, cids: readonly string[]): Promise<ContentName[]> {
  const sql = `SELECT x.* FROM unnest($1::text[]) AS c (cid) CROSS JOIN LATERAL (
      SELECT f.cid, f.model, f.version, f.path FROM manifest_files f JOIN manifests m ON m.model = f.model AND m.version = f.version
      WHERE f.cid = c.cid ORDER BY m.created_at DESC, f.model, f.path LIMIT ${MOST_NAMES}
    ) x`;
  return (await pool.query<ContentName>(sql, [[...new Set(cids)]])).rows;
}
