import type { CidRecord } from '#contracts/http/cids';
import type { CidRow } from '#database/models/cid-queries';
import { momentOf } from '../server/moment.ts';

export const cidView = ({ cid, cachedAt, lastAccessedAt, ...facts }: CidRow): CidRecord => ({
  cid,
  ...facts,
  cachedAt: momentOf(cachedAt),
  lastAccessedAt: momentOf(lastAccessedAt),
  links: { self: `/api/cids/${encodeURIComponent(cid)}`, downloads: `/api/downloads?cid=${encodeURIComponent(cid)}` },
});
