import type { CidRecord } from '#contracts/http/cids';
import type { Model, VersionDetail, VersionSummary } from '#contracts/http/models';
import type { CidRow } from '#database/models/cid-queries';
import type { ModelRow, StoredManifest, VersionRow } from '#database/models/model-queries';
import { momentOf } from '../server/requests/moment.ts';

/** What is known of a model beside its row. */
export interface ModelFacts {
  readonly pinned: string | undefined;
  readonly newer: string | undefined;
}

const pathOf = (name: string): string => `/api/models/${encodeURIComponent(name)}`;

export const versionPath = (name: string, version: string): string =>
  `${pathOf(name)}/versions/${encodeURIComponent(version)}`;

export const modelView = (row: ModelRow, facts: ModelFacts): Model => ({
  name: row.name,
  type: row.type,
  currentVersion: row.currentVersion,
  pinnedVersion: facts.pinned ?? null,
  newerVersion: facts.newer ?? null,
  createdAt: momentOf(row.createdAt),
  links: { self: pathOf(row.name), versions: `${pathOf(row.name)}/versions` },
});

export const versionView = (row: VersionRow): VersionSummary => ({
  version: row.version,
  digest: row.digest,
  cid: row.cid,
  fileCount: row.fileCount,
  sizeBytes: row.sizeBytes,
  createdAt: momentOf(row.createdAt),
  links: { self: versionPath(row.model, row.version) },
});

export const versionDetailView = (stored: StoredManifest): VersionDetail => ({
  ...versionView(stored),
  manifest: stored.manifest,
});

export const cidView = ({ cid, cachedAt, lastAccessedAt, ...facts }: CidRow): CidRecord => ({
  cid,
  ...facts,
  cachedAt: momentOf(cachedAt),
  lastAccessedAt: momentOf(lastAccessedAt),
  links: { self: `/api/cids/${encodeURIComponent(cid)}`, downloads: `/api/downloads?cid=${encodeURIComponent(cid)}` },
});
