import type { Database } from '../sql/connect.ts';
import type { Cid } from '../generated/client.ts';

/** A content that was downloaded at least once; the recorder writes it when a download ends. */
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
