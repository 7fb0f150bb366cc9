import type { Database } from '../sql/connect.ts';
import type { Cid } from '../generated/client.ts';

/** A content that was had at least once; the recorder writes it when a download ends (RE14). */
export type CidRow = Cid;

export async function cidByValue(database: Database, cid: string): Promise<CidRow | undefined> {
  return (await database.prisma.cid.findUnique({ where: { cid } })) ?? undefined;
}

/** Newest first. */
export function cidsOfModel(
  database: Database,
  model: string,
  type: string | undefined,
  limit: number,
): Promise<CidRow[]> {
  return database.prisma.cid.findMany({
    where: { model, ...(type === undefined ? {} : { type }) },
    orderBy: [{ cachedAt: 'desc' }, { cid: 'asc' }],
    take: limit,
  });
}
