import type { Database } from './connect.ts';
import type { Cid } from './generated/client.ts';

export type CidRow = Cid;

export interface CidFacts {
  readonly cid: string;
  readonly model?: string | undefined;
  readonly type?: string | undefined;
  /** SHA-256 of the whole file. */
  readonly hash?: string | undefined;
  readonly gateway?: string | undefined;
}

/** Notes that the content was had: the first time as a new row, again as last access and one success more (RE14). */
export async function recordCid(database: Database, facts: CidFacts, now: Date): Promise<CidRow> {
  const { cid, model, type, hash, gateway } = facts;
  const known = { ...(model && { model }), ...(type && { type }), ...(hash && { hash }), ...(gateway && { gateway }) };
  return database.prisma.cid.upsert({
    where: { cid },
    create: { cid, ...known, cachedAt: now, lastAccessedAt: now, successCount: 1 },
    update: { ...known, lastAccessedAt: now, successCount: { increment: 1 } },
  });
}

export async function cidByValue(database: Database, cid: string): Promise<CidRow | undefined> {
  return (await database.prisma.cid.findUnique({ where: { cid } })) ?? undefined;
}

/** Newest first. */
export function cidsOfModel(database: Database, model: string, type?: string, limit = 100): Promise<CidRow[]> {
  return database.prisma.cid.findMany({
    where: { model, ...(type === undefined ? {} : { type }) },
    orderBy: [{ cachedAt: 'desc' }, { cid: 'asc' }],
    take: limit,
  });
}
