import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** `expand` only adds, so older programs keep working; `contract` removes what older programs use. */
export type MigrationKind = 'expand' | 'contract';

export interface MigrationFile {
  /** Name of its folder; the names order the migrations. */
  readonly name: string;
  readonly kind: MigrationKind;
  readonly sql: string;
  /** SHA-256 of the file, as Prisma keeps it. */
  readonly checksum: string;
}

/** The mark is part of the name, so that a program which does not have the file can still read it in the database. */
export const kindOf = (migrationName: string): MigrationKind =>
  migrationName.endsWith('_contract') ? 'contract' : 'expand';

/**
 * Reads the migrations of a folder laid out as Prisma does: one folder each, with `migration.sql`.
 *
 * @throws Error when a first line is not the mark, `-- expand` or `-- contract`, that the folder's name promises
 */
export async function readMigrations(folder: string): Promise<MigrationFile[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  const names = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  return Promise.all(names.sort().map((name) => readMigration(folder, name)));
}

async function readMigration(folder: string, name: string): Promise<MigrationFile> {
  const sql = await readFile(join(folder, name, 'migration.sql'), 'utf8');
  const kind = kindOf(name);
  const firstLine = sql.split(/\r?\n/, 1)[0];
  if (firstLine !== `-- ${kind}`)
    throw new Error(
      `migration ${name}: the first line is ${JSON.stringify(firstLine)} and must be "-- ${kind}"; ` +
        'a contract has "-- contract" there and a name that ends in "_contract"',
    );
  return { name, kind, sql, checksum: createHash('sha256').update(sql).digest('hex') };
}
