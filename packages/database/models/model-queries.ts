import { createHash } from 'node:crypto';
import type { Manifest } from '#contracts/manifest';
import type { Database } from '../sql/connect.ts';
import { inTransaction } from '../sql/transaction.ts';

export interface ModelRow {
  readonly name: string;
  readonly type: string;
  readonly currentVersion: string | null;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

export interface VersionRow {
  readonly model: string;
  readonly version: string;
  readonly digest: string;
  readonly cid: string | null;
  readonly fileCount: number;
  /** Sum of the files whose size is known. */
  readonly sizeBytes: number;
  readonly createdAt: Date;
}

export interface StoredManifest extends VersionRow {
  readonly manifest: Manifest;
}

export interface PutManifest {
  /** False: this very content was stored before. */
  readonly created: boolean;
  readonly version: VersionRow;
}

/** The request contradicts what is stored (HTTP 409). The message names both sides and says what would be right. */
export class ConflictError extends Error {
  override readonly name = 'ConflictError';
  readonly code: 'manifest_differs';

  constructor(code: 'manifest_differs', message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

const VERSION_COLUMNS = `m.model, m.version, m.digest, m.cid, m.file_count AS "fileCount",
  m.size_bytes AS "sizeBytes", m.created_at AS "createdAt"`;

/**
 * Stores one version of a model; the newest stored version becomes the current one, and its origin is to be asked.
 *
 * @throws ConflictError when the version exists with other content: versions never change
 */
export async function putManifest(database: Database, manifest: Manifest, now: Date): Promise<PutManifest> {
  const digest = manifestDigest(manifest);
  const created = await inTransaction(database, async (client) => {
    await client.query(
      `INSERT INTO models (name, type, created_at, updated_at) VALUES ($1, $2, $3, $3) ON CONFLICT DO NOTHING`,
      [manifest.name, manifest.type, now],
    );
    const inserted = await client.query(INSERT_MANIFEST_SQL, manifestParameters(manifest, digest, now));
    if (inserted.rowCount === 0) return false;
    await client.query(INSERT_FILES_SQL, [manifest.name, manifest.version, JSON.stringify(manifest.files)]);
    await client.query(
      `UPDATE models SET type = $2, current_version = $3, updated_at = $4, next_check_at = $4 WHERE name = $1`,
      [manifest.name, manifest.type, manifest.version, now],
    );
    return true;
  });
  const version = await versionRow(database, manifest.name, manifest.version);
  if (version === undefined) throw new Error(`manifest ${manifest.name}@${manifest.version} was deleted meanwhile`);
  if (version.digest !== digest) throw differs(manifest, version.digest, digest);
  return { created, version };
}

const INSERT_MANIFEST_SQL = `
  INSERT INTO manifests (model, version, digest, cid, file_count, size_bytes, json, created_at)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (model, version) DO NOTHING`;

const INSERT_FILES_SQL = `
  INSERT INTO manifest_files (model, version, path, size_bytes, sha256, cid)
  SELECT $1, $2, f.path, f."sizeBytes", f.sha256, f.cid
  FROM jsonb_to_recordset($3::jsonb) AS f (path text, "sizeBytes" bigint, sha256 text, cid text)`;

const manifestParameters = (manifest: Manifest, digest: string, now: Date): unknown[] => [
  manifest.name,
  manifest.version,
  digest,
  manifest.cid ?? null,
  manifest.files.length,
  manifest.files.reduce((sum, file) => sum + (file.sizeBytes ?? 0), 0),
  JSON.stringify(manifest),
  now,
];

const differs = (manifest: Manifest, stored: string, given: string): ConflictError =>
  new ConflictError(
    'manifest_differs',
    `version "${manifest.version}" of "${manifest.name}" is stored with other content (${stored}, given ${given}): ` +
      'versions never change, so give this content a new version',
  );

async function versionRow(database: Database, model: string, version: string): Promise<VersionRow | undefined> {
  const sql = `SELECT ${VERSION_COLUMNS} FROM manifests m WHERE m.model = $1 AND m.version = $2`;
  return (await database.pool.query<VersionRow>(sql, [model, version])).rows[0];
}

/** By name. */
export async function listModels(database: Database): Promise<ModelRow[]> {
  return database.prisma.model.findMany({ orderBy: { name: 'asc' } });
}

export async function modelByName(database: Database, name: string): Promise<ModelRow | undefined> {
  return (await database.prisma.model.findUnique({ where: { name } })) ?? undefined;
}

/** Newest first. */
export async function listVersions(database: Database, model: string): Promise<VersionRow[]> {
  const sql = `SELECT ${VERSION_COLUMNS} FROM manifests m WHERE m.model = $1 ORDER BY m.created_at DESC, m.version`;
  return (await database.pool.query<VersionRow>(sql, [model])).rows;
}

/** @param version undefined asks for the current one */
export async function manifestOf(
  database: Database,
  model: string,
  version?: string,
): Promise<StoredManifest | undefined> {
  const sql = `SELECT ${VERSION_COLUMNS}, m.json AS manifest FROM manifests m JOIN models o ON o.name = m.model
    WHERE m.model = $1 AND m.version = coalesce($2, o.current_version)`;
  return (await database.pool.query<StoredManifest>(sql, [model, version ?? null])).rows[0];
}

/** The name of a manifest: `sha256:` and the hash of its JSON with sorted keys, left-out fields left out. */
export function manifestDigest(manifest: Manifest): string {
  return `sha256:${createHash('sha256').update(sortedJson(manifest)).digest('hex')}`;
}

function sortedJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((item) => sortedJson(item ?? null)).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const entries = Object.entries(value)
    .filter(([, item]) => item !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${sortedJson(item)}`).join(',')}}`;
}
